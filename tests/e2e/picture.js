// SPDX-License-Identifier: Apache-2.0
/* The format and size of a picture, read from its bytes. */

function jpegSize(bytes) {
  for (let at = 2; at < bytes.length;) {
    const marker = bytes[at + 1];
    const frame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (frame) {
      return { width: bytes.readUInt16BE(at + 7), height: bytes.readUInt16BE(at + 5) };
    }
    at += 2 + bytes.readUInt16BE(at + 2);
  }
  throw new Error('a JPEG without a frame');
}

/* https://developers.google.com/speed/webp/docs/riff_container and RFC 6386, section 9.1 */
function webpSize(bytes) {
  const kind = bytes.toString('latin1', 12, 16);
  if (kind === 'VP8X') {
    return { width: 1 + bytes.readUIntLE(24, 3), height: 1 + bytes.readUIntLE(27, 3) };
  }
  if (kind === 'VP8L') {
    const bits = bytes.readUInt32LE(21);
    return { width: 1 + (bits & 0x3fff), height: 1 + ((bits >>> 14) & 0x3fff) };
  }
  return { width: bytes.readUInt16LE(26) & 0x3fff, height: bytes.readUInt16LE(28) & 0x3fff };
}

/* The image spatial extents property: ISO/IEC 23008-12, section 6.5.3. */
function avifSize(bytes) {
  const at = bytes.indexOf('ispe', 0, 'latin1');
  return { width: bytes.readUInt32BE(at + 8), height: bytes.readUInt32BE(at + 12) };
}

export function identify(bytes) {
  if (bytes.toString('latin1', 1, 4) === 'PNG') {
    return { format: 'png', width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) };
  }
  if (bytes.readUInt16BE(0) === 0xffd8) {
    return { format: 'jpg', ...jpegSize(bytes) };
  }
  if (bytes.toString('latin1', 8, 12) === 'WEBP') {
    return { format: 'webp', ...webpSize(bytes) };
  }
  if (bytes.toString('latin1', 4, 12) === 'ftypavif') {
    return { format: 'avif', ...avifSize(bytes) };
  }
  throw new Error(`an unknown format: ${bytes.toString('hex', 0, 16)}`);
}
