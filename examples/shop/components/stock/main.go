// What the shop has. The functions that the world exports are in exports.
package main

import _ "example.com/stock/exports/wit_exports"

// A component is called at its exports; main is never run.
func main() {}
