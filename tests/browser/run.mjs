// Runs the tests and tells of them as cargo does, so that `cargo xtask test` can add them up. Arguments are parts of
// file names: `node run.mjs axe site` runs these two.

import { appendFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { run } from 'node:test';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const wanted = process.argv.slice(2);
const files = readdirSync(here)
  .filter(name => name.endsWith('.test.mjs') && (wanted.length === 0 || wanted.some(part => name.includes(part))))
  .map(name => join(here, name));
if (files.length === 0) {
  console.error(`error: no test file has ${wanted.join(' or ')} in its name`);
  process.exit(2);
}

// Two at a time: most of a test is waiting, and the workers have one thread each.
const concurrency = Number(process.env.ENGRAM_BROWSER_JOBS ?? 2);
const failures = [];
let passed = 0;
const begun = Date.now();

const stream = run({ files, concurrency });
stream.resume();
stream.on('test:stdout', data => process.stdout.write(data.message));
stream.on('test:stderr', data => process.stderr.write(data.message));
stream.on('test:pass', data => {
  // A file is told as a test of its own, or its tests are.
  if (isFile(data)) return;
  passed += 1;
  const why = typeof data.skip === 'string' ? data.skip : null;
  // Beside a skipped test, cargo says `ok`; the list of reasons is what counts.
  if (why !== null && process.env.ENGRAM_SKIPPED) appendFileSync(process.env.ENGRAM_SKIPPED, `${data.name}: ${why}\n`);
  console.log(`test ${data.name} ... ok (${why === null ? seconds(data) : `skipped: ${why}`})`);
});
stream.on('test:fail', data => {
  const error = data.details.error;
  if (isFile(data) && error?.failureType === 'subtestsFailed') return;
  failures.push([data.name, error]);
  console.log(`test ${data.name} ... FAILED`);
});
stream.once('end', () => {
  for (const [name, error] of failures) {
    console.log(`\n---- ${name}\n${error?.cause?.stack ?? error?.cause ?? error?.stack ?? error}`);
  }
  const result = failures.length === 0 ? 'ok' : 'FAILED';
  const time = ((Date.now() - begun) / 1000).toFixed(0);
  console.log(`\ntest result: ${result}. ${passed} passed; ${failures.length} failed; 0 ignored; finished in ${time} s`);
  process.exitCode = failures.length === 0 ? 0 : 1;
});

function isFile(data) {
  return data.name.endsWith('.test.mjs');
}

function seconds(data) {
  return `${(data.details.duration_ms / 1000).toFixed(1)} s`;
}
