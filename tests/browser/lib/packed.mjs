// The packed records of a result page, taken apart and put together again: see core/src/pack.rs.

import assert from 'node:assert/strict';
import { gunzipSync, gzipSync } from 'node:zlib';

/** How the element with the records begins. */
export const ELEMENT = '<script type="application/gzip" id="engram-records">';

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&()*+,./:;<=>?@[]^_`{|}~"';
const MAGIC = Buffer.from('engram\x00\x01', 'latin1');

/** The text of the records' element. */
export function textOf(page) {
  const from = page.indexOf(ELEMENT);
  assert.ok(from > 0, 'the page carries records');
  return page.slice(from + ELEMENT.length, page.indexOf('</script>', from));
}

/** Bytes as basE91. */
export function packed(bytes) {
  const out = [];
  let [queue, held] = [0, 0];
  for (const byte of bytes) {
    queue |= byte << held;
    held += 8;
    if (held > 13) {
      const taken = (queue & 8191) > 88 ? 13 : 14;
      const value = queue & ((1 << taken) - 1);
      out.push(LETTERS[value % 91], LETTERS[Math.floor(value / 91)]);
      queue >>>= taken;
      held -= taken;
    }
  }
  if (held > 0) {
    out.push(LETTERS[queue % 91]);
    if (held > 7 || queue > 90) out.push(LETTERS[Math.floor(queue / 91)]);
  }
  return out.join('').replaceAll('</', '< /');
}

/** The bytes of such a text. */
export function unpacked(text) {
  const out = [];
  let [queue, held, first] = [0, 0, -1];
  for (const letter of text.replace(/\s/g, '')) {
    const value = LETTERS.indexOf(letter);
    assert.ok(value >= 0, letter);
    if (first < 0) {
      first = value;
      continue;
    }
    const pair = first + value * 91;
    first = -1;
    queue |= pair << held;
    held += (pair & 8191) > 88 ? 13 : 14;
    for (; held > 7; held -= 8, queue >>>= 8) out.push(queue & 255);
  }
  if (first >= 0) out.push((queue | (first << held)) & 255);
  return Buffer.from(out);
}

/**
 * The text of changed records. `change` gets the JSON part and changes it, or gives another one, as a value or as text;
 * `values` gets the bytes of the raw values, and gives others.
 */
export function repacked(text, change, values = planes => planes) {
  const plain = gunzipSync(unpacked(text));
  assert.ok(plain.subarray(0, 8).equals(MAGIC), 'packed records');
  const end = 12 + plain.readUInt32LE(8);
  const hollow = JSON.parse(plain.subarray(12, end));
  const given = change(hollow) ?? hollow;
  const json = Buffer.from(typeof given === 'string' ? given : JSON.stringify(given));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(json.length);
  return packed(gzipSync(Buffer.concat([MAGIC, length, json, values(Buffer.from(plain.subarray(end)))])));
}
