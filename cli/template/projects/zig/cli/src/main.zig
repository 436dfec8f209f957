//! A program: `wasi:cli/run` calls `main`.

const std = @import("std");

pub fn main(init: std.process.Init) !void {
    try std.Io.File.stdout().writeStreamingAll(init.io, "Hello from Zig!\n");
}
