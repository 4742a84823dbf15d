const std = @import("std");
const platform = @import("platform");

pub fn build(b: *std.Build) void {
    platform.addGuest(b, "{name}");
}
