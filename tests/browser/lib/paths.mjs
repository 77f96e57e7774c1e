// Where things are: the repository, the built page, the native program, the browser, and what the tests leave behind.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
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

/** The browser: the one that `CHROMIUM` names, or the first that is installed. */
export function chromium() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  for (const name of ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']) {
    try {
      return execFileSync('which', [name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    } catch {
      // The next one.
    }
  }
  throw new Error('no Chromium is installed: run cargo xtask setup, or set CHROMIUM');
}
