//! Public keys for which anyone can sign.

/// The encodings of the eight points of small order of edwards25519, the non-canonical ones included.
///
/// Source: Chalkias, Garillot, Nikolaenko, "Taming the many EdDSAs" (2020), table 1; a test of the runtime
/// recomputes them from the curve.
pub const SMALL_ORDER: [[u8; 32]; 14] = small_order();

const fn small_order() -> [[u8; 32]; 14] {
    const fn with_sign(mut bytes: [u8; 32]) -> [u8; 32] {
        bytes[31] |= 0x80;
        bytes
    }
    let zero = [0; 32];
    let mut one = zero;
    one[0] = 1;
    // p = 2^255 - 19, p + 1 and p - 1, little-endian.
    let mut p = [0xff; 32];
    p[0] = 0xed;
    p[31] = 0x7f;
    let mut p_plus_one = p;
    p_plus_one[0] = 0xee;
    let mut minus_one = p;
    minus_one[0] = 0xec;
    // The y coordinates of the four points of order eight.
    let eight_a = [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ];
    let eight_b = [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ];
    [
        zero,
        with_sign(zero),
        one,
        with_sign(one),
        minus_one,
        with_sign(minus_one),
        p,
        with_sign(p),
        p_plus_one,
        with_sign(p_plus_one),
        eight_a,
        with_sign(eight_a),
        eight_b,
        with_sign(eight_b),
    ]
}
