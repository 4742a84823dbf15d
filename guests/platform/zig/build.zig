//! The package that guests in Zig depend on: the contract as a module, and how a guest is linked.
const std = @import("std");

pub fn build(b: *std.Build) void {
    _ = b.addModule("platform", .{ .root_source_file = b.path("platform.zig") });
}

/// Builds `<name>.wasm`, the core module, of src/main.zig; guest-pack makes a component and a flash image of it.
/// `b` is the guest's, which calls this package `platform` in its build.zig.zon.
pub fn addGuest(b: *std.Build, name: []const u8) void {
    const guest = b.addObject(.{
        .name = name,
        .root_module = b.createModule(.{
            .root_source_file = b.path("src/main.zig"),
            .imports = &.{.{ .name = "platform", .module = b.dependency("platform", .{}).module("platform") }},
            .target = b.resolveTargetQuery(.{ .cpu_arch = .wasm32, .os_tag = .freestanding }),
            .optimize = .ReleaseSmall,
            .strip = true,
        }),
    });

    // Zig's own link step cannot set the page size, the linker it carries can.
    const link = b.addSystemCommand(&.{ b.graph.zig_exe, "wasm-ld" });
    link.addFileArg(guest.getEmittedBin());
    // A library with one exported function: no main, no _start.
    link.addArgs(&.{ "--no-entry", "--export=run", "--strip-all" });
    // Memory to the byte: pages of 1 byte instead of 64 KiB, a stack of 1 KiB that meets an access out of bounds when
    // it overflows instead of other data, and no growing.
    link.addArgs(&.{ "--page-size=1", "-z", "stack-size=1024", "--stack-first", "--no-growable-memory" });
    link.addArg("-o");
    const file = b.fmt("{s}.wasm", .{name});
    const wasm = link.addOutputFileArg(file);

    b.getInstallStep().dependOn(&b.addInstallFile(wasm, file).step);
}
