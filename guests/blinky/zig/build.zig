//! Builds blinky.wasm, the core module; guest-pack makes a component and a flash image of it.
const std = @import("std");

pub fn build(b: *std.Build) void {
    const blinky = b.addObject(.{
        .name = "blinky",
        .root_module = b.createModule(.{
            .root_source_file = b.path("src/main.zig"),
            .target = b.resolveTargetQuery(.{ .cpu_arch = .wasm32, .os_tag = .freestanding }),
            .optimize = .ReleaseSmall,
            .strip = true,
        }),
    });

    // Zig's own link step cannot set the page size, the linker it carries can.
    const link = b.addSystemCommand(&.{ b.graph.zig_exe, "wasm-ld" });
    link.addFileArg(blinky.getEmittedBin());
    // A library with one exported function: no main, no _start.
    link.addArgs(&.{ "--no-entry", "--export=run", "--strip-all" });
    // Memory to the byte: pages of 1 byte instead of 64 KiB, a stack of 1 KiB that meets an access out of bounds when
    // it overflows instead of other data, and no growing.
    link.addArgs(&.{ "--page-size=1", "-z", "stack-size=1024", "--stack-first", "--no-growable-memory" });
    link.addArg("-o");
    const wasm = link.addOutputFileArg("blinky.wasm");

    b.getInstallStep().dependOn(&b.addInstallFile(wasm, "blinky.wasm").step);
}
