// Starts the viewer of a result page; what binds it to the browser stands above. Nothing of this asks a server.

// basE91, see core/src/pack/text.rs.
const engramBytes = (text) => {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&()*+,./:;<=>?@[]^_`{|}~"';
  const values = new Uint8Array(128);
  for (let at = 0; at < 91; at++) values[letters.charCodeAt(at)] = at;
  const bytes = new Uint8Array(text.length);
  let length = 0, queue = 0, held = 0, first = -1;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code <= 32) continue;
    if (first < 0) { first = values[code]; continue; }
    const value = first + values[code] * 91;
    first = -1;
    queue |= value << held;
    held += (value & 8191) > 88 ? 13 : 14;
    for (; held > 7; held -= 8, queue >>>= 8) bytes[length++] = queue & 255;
  }
  if (first >= 0) bytes[length++] = (queue | first << held) & 255;
  return bytes.subarray(0, length);
};

// LZMA, after its specification (Pavlov 2015): a fifth less than gzip, which is all that browsers can unpack themselves.
const engramUnpacked = (source) => {
  const lc = source[0] % 9, lp = (source[0] / 9 | 0) % 5, pb = source[0] / 45 | 0;
  const out = new Uint8Array(source[5] | source[6] << 8 | source[7] << 16 | source[8] << 24);
  const match = 0, rep = 192, rep0 = 204, rep1 = 216, rep2 = 228, long = 240, slots = 432, near = 688, align = 816;
  const lengths = 832, again = 1346, literals = 1860;
  const odds = new Uint16Array(literals + (768 << lc + lp)).fill(1024);
  let from = 14, range = 0xffffffff, code = 0;
  for (let at = 0; at < 4; at++) code = (code << 8 | source[from++]) >>> 0;
  const refill = () => {
    if (range < 0x1000000) {
      range = range * 256;
      code = (code << 8 | source[from++]) >>> 0;
    }
  };
  const bit = (place) => {
    const bound = (range >>> 11) * odds[place];
    const one = code >= bound;
    if (one) {
      range -= bound;
      code -= bound;
      odds[place] -= odds[place] >> 5;
    } else {
      range = bound;
      odds[place] += 2048 - odds[place] >> 5;
    }
    refill();
    return one ? 1 : 0;
  };
  const tree = (place, bits) => {
    let value = 1;
    for (let at = 0; at < bits; at++) value = value << 1 | bit(place + value);
    return value - (1 << bits);
  };
  const reversed = (place, bits) => {
    let node = 1, value = 0;
    for (let at = 0; at < bits; at++) {
      const found = bit(place + node);
      node = node << 1 | found;
      value |= found << at;
    }
    return value;
  };
  const run = (place, at) => {
    if (!bit(place)) return tree(place + 2 + at * 8, 3);
    return bit(place + 1) ? 16 + tree(place + 258, 8) : 8 + tree(place + 130 + at * 8, 3);
  };
  const back = [0, 0, 0, 0];
  let state = 0, length = 0;
  while (length < out.length) {
    const at = length & (1 << pb) - 1;
    if (!bit(match + state * 16 + at)) {
      const place = literals + 768 * (((length & (1 << lp) - 1) << lc) + ((length ? out[length - 1] : 0) >> 8 - lc));
      let value = 1;
      if (state > 6) {
        let model = out[length - back[0] - 1];
        while (value < 256) {
          const wanted = model >> 7 & 1;
          model <<= 1;
          const found = bit(place + (1 + wanted << 8) + value);
          value = value << 1 | found;
          if (found !== wanted) break;
        }
      }
      while (value < 256) value = value << 1 | bit(place + value);
      out[length++] = value;
      state = state < 4 ? 0 : state < 10 ? state - 3 : state - 6;
      continue;
    }
    let count;
    if (bit(rep + state)) {
      if (!bit(rep0 + state)) {
        if (!bit(long + state * 16 + at)) {
          state = state < 7 ? 9 : 11;
          out[length] = out[length - back[0] - 1];
          length++;
          continue;
        }
      } else {
        const which = !bit(rep1 + state) ? 1 : !bit(rep2 + state) ? 2 : 3;
        back.unshift(back.splice(which, 1)[0]);
      }
      count = run(again, at);
      state = state < 7 ? 8 : 11;
    } else {
      count = run(lengths, at);
      state = state < 7 ? 7 : 10;
      const slot = tree(slots + Math.min(count, 3) * 64, 6);
      let distance = slot;
      if (slot > 3) {
        const bits = (slot >> 1) - 1;
        distance = (2 | slot & 1) * 2 ** bits;
        if (slot < 14) {
          distance += reversed(near + distance - slot, bits);
        } else {
          let direct = 0;
          for (let left = bits - 4; left > 0; left--) {
            range = range >>> 1;
            const one = code >= range ? 1 : 0;
            if (one) code -= range;
            direct = direct * 2 + one;
            refill();
          }
          distance += direct * 16 + reversed(align, 4);
        }
      }
      back.unshift(distance);
      back.pop();
    }
    if (back[0] >= length) throw new Error('its program is damaged');
    for (count += 2; count > 0; count--, length++) out[length] = out[length - back[0] - 1];
  }
  return out;
};

try {
  const packed = engramBytes(document.getElementById('engram-viewer').textContent);
  await __wbg_init({ module_or_path: engramUnpacked(packed) });
} catch (error) {
  const crash = document.getElementById('crash');
  crash.textContent = `The figures cannot be moved: the viewer did not start (${error?.message ?? error}). The article itself is whole.`;
  crash.hidden = false;
  throw error;
}
