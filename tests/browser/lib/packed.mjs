// The packed records of a result page, taken apart and put together again: see core/src/pack.rs.

import assert from 'node:assert/strict';
import { gunzipSync, gzipSync } from 'node:zlib';

/** How the element with the records begins. */
export const ELEMENT = '<script type="application/gzip" id="engram-records">';

const MAGIC = Buffer.from('engram\x00\x01', 'latin1');

/** The text of the records' element. */
export function textOf(page) {
  const from = page.indexOf(ELEMENT);
  assert.ok(from > 0, 'the page carries records');
  return page.slice(from + ELEMENT.length, page.indexOf('</script>', from));
}

/** Bytes as the text of an element. */
export const packed = bytes => Buffer.from(bytes).toString('base64');

/** The bytes of such a text. */
export const unpacked = text => Buffer.from(text, 'base64');

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
