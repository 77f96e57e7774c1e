// Where things are: the repository, the built page, the native program, the browser, and what the tests leave behind.

import { existsSync, mkdirSync } from 'node:fs';
import { delimiter, dirname, isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's root. */
export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');

/** The built page (`cargo xtask web`). */
export const DIST = process.env.ENGRAM_DIST ?? join(ROOT, 'dist');

/** Screenshots of the main states. */
export const OUT = join(ROOT, 'tests', 'browser', 'out');
mkdirSync(OUT, { recursive: true });

/** Tiny random models. */
export const FIXTURES = join(ROOT, 'tests', 'fixtures', 'models');

/** Models that come with the page. */
export const BUNDLED = join(ROOT, 'core', 'bundled', 'models');

/** The native program. */
export function program() {
  const target = process.env.CARGO_TARGET_DIR ?? join(ROOT, 'target');
  const path = process.env.ENGRAM_BIN ?? join(target, 'release', 'engram');
  if (!existsSync(path)) throw new Error(`no engram at ${path}: run cargo build --release, or set ENGRAM_BIN`);
  return path;
}

/** A program's path: absolute, or the first place where it is installed under one of these names; `null` where it is not. */
export function installed(...names) {
  for (const name of names) {
    const places = isAbsolute(name) ? [''] : (process.env.PATH ?? '').split(delimiter);
    const found = places.map(place => join(place, name)).find(path => existsSync(path));
    if (found) return found;
  }
  return null;
}

/** The browser's program: what `CHROMIUM` names, or the first that is installed. */
export function chromium() {
  const names = process.env.CHROMIUM
    ? [process.env.CHROMIUM]
    : ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
  const found = installed(...names);
  if (!found) throw new Error(`no Chromium here (looked for ${names.join(', ')}): run cargo xtask setup, or set CHROMIUM`);
  return found;
}
