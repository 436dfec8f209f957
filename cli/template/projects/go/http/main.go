// A service that answers HTTP requests. What the world asks for is in exports.
package main

import _ "example.com/new-project/exports/wit_exports"

// A component is called at its exports; main is never run.
func main() {}
