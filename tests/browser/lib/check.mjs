// Tests that always end and always tidy up, and assertions that say what is wrong.

import { basename } from 'node:path';
import { test as node } from 'node:test';

/** What a machine cannot do is no failure. */
class Skip extends Error {}

/** Ends a test as skipped. */
export function skip(why) {
  throw new Skip(why);
}

/**
 * A test that fails after so many seconds instead of hanging. `work` gets `use`, which takes whatever has a `close` and
 * closes it when the test has ended, the newest first.
 */
export function test(name, seconds, work) {
  const file = basename(process.argv[1] ?? '', '.test.mjs');
  node(`browser/${file}: ${name}`, async context => {
    const used = [];
    const use = thing => {
      used.push(thing);
      return thing;
    };
    let timer;
    const late = new Promise((_, fail) => {
      timer = setTimeout(() => fail(new Error(`not done after ${seconds} s`)), seconds * 1000);
    });
    const errors = [];
    const working = (async () => work(use))();
    await Promise.race([working, late]).catch(error => errors.push(error));
    clearTimeout(timer);
    // Work that came too late fails on what is closed under it; that is not news.
    working.catch(() => {});
    for (const thing of used.reverse()) {
      await thing.close().catch(error => errors.push(error));
    }
    if (errors[0] instanceof Skip) context.skip(errors[0].message);
    else if (errors.length === 1) throw errors[0];
    else if (errors.length > 1) throw new Error(errors.map(error => error.message).join('\n'));
  });
}

/** Every number, text and gap in which two values differ, as `[path, a, b]`. Numbers may differ by `within`. */
export function differences(a, b, within = 0, path = '') {
  if (typeof a === 'number' && typeof b === 'number') {
    return Math.abs(a - b) <= within ? [] : [[path, a, b]];
  }
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object') {
    return a === b ? [] : [[path, a, b]];
  }
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...keys].flatMap(key => differences(a[key] ?? null, b[key] ?? null, within, `${path}.${key}`));
}

/** Fails with the differences of two values, or the first of many. */
export function same(a, b, within, what) {
  const found = differences(a, b, within);
  if (found.length === 0) return;
  const text = ([path, one, other]) => `${path}: ${JSON.stringify(one)} and ${JSON.stringify(other)}`;
  const lines = found.slice(0, 8).map(text);
  throw new Error(`${what}: ${found.length} differences beyond ${within}\n  ${lines.join('\n  ')}`);
}

/** All numbers in a value. */
export function numbers(value) {
  if (typeof value === 'number') return [value];
  if (value === null || typeof value !== 'object') return [];
  return Object.values(value).flatMap(numbers);
}

/** The largest difference between the numbers of two values of the same shape. */
export function apart(a, b) {
  const [left, right] = [numbers(a), numbers(b)];
  return left.reduce((most, number, at) => Math.max(most, Math.abs(number - right[at])), 0);
}

/** Waits until something holds, and gives what it gave. */
export async function until(what, holds, seconds = 30) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const value = await holds();
    if (value) return value;
    if (Date.now() > end) throw new Error(`after ${seconds} s still not: ${what}`);
    await new Promise(done => setTimeout(done, 50));
  }
}
