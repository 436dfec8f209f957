// A program: wasi:cli/run calls main.
package main

import "fmt"

func main() {
	fmt.Println("Hello from Go!")
}
