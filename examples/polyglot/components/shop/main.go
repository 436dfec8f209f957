// A shop that answers HTTP requests: what it sells is in catalogue, what the world asks for in exports.
package main

import _ "example.com/shop/exports/wit_exports"

// A component is called at its exports; main is never run.
func main() {}
