//! Checksums of bytes.

const std = @import("std");
const w = @import("bindings");

export fn exports_demo_checksum_sums_crc32(bytes: *w.checksum_list_u8_t) u32 {
    defer w.checksum_list_u8_free(bytes);
    return std.hash.Crc32.hash(bytes.ptr[0..bytes.len]);
}
