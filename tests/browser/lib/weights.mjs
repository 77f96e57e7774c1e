// Safetensors files for the tests.

/** A file whose f16 tensors are f32: the same numbers in twice the bytes. */
export function widened(file) {
  const end = 8 + Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.subarray(8, end).toString());
  const pieces = [];
  let at = 0;
  for (const [name, tensor] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const [from, to] = tensor.data_offsets;
    let bytes = file.subarray(end + from, end + to);
    if (tensor.dtype === 'F16') {
      const wide = Buffer.alloc(bytes.length * 2);
      for (let i = 0; i < bytes.length; i += 2) wide.writeFloatLE(half(bytes.readUInt16LE(i)), i * 2);
      bytes = wide;
      tensor.dtype = 'F32';
    }
    tensor.data_offsets = [at, at + bytes.length];
    at += bytes.length;
    pieces.push(bytes);
  }
  let text = JSON.stringify(header);
  text += ' '.repeat((8 - (text.length % 8)) % 8);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, Buffer.from(text), ...pieces]);
}

/** The number that 16 bits stand for. */
function half(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}
