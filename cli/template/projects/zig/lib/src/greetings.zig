//! A library: what its world exports, others can call.

const std = @import("std");
const w = @import("bindings");

export fn exports_example_new_project_greetings_greet(
    name: *w.library_string_t,
    greeting: *w.library_string_t,
) void {
    defer w.library_string_free(name);
    const text = greet(name.ptr[0..name.len]) catch @panic("out of memory");
    // The string is handed on: the caller frees it.
    greeting.* = .{ .ptr = text.ptr, .len = text.len };
}

fn greet(name: []const u8) ![]u8 {
    return std.fmt.allocPrint(std.heap.c_allocator, "Hello, {s}, from Zig!", .{name});
}
