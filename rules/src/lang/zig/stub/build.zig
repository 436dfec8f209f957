const std = @import("std");

pub fn build(b: *std.Build) void {
    const stub = b.addExecutable(.{
        .name = "stub",
        .root_module = b.createModule(.{
            .root_source_file = b.path("stub.zig"),
            .target = b.standardTargetOptions(.{}),
            .optimize = b.standardOptimizeOption(.{}),
            .link_libc = true,
        }),
    });
    stub.entry = .disabled;
    stub.wasi_exec_model = .reactor;
    b.installArtifact(stub);
}
