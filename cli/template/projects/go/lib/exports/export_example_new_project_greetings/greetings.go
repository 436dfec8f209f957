// Package export_example_new_project_greetings is what the world exports as example:new-project/greetings.
package export_example_new_project_greetings

// Greet is a greeting for somebody of this name.
func Greet(name string) string {
	return "Hello, " + name + ", from Go!"
}
