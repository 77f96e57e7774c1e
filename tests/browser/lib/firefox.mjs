// The Firefox that the system installs, driven by WebDriver BiDi.

import { spawnSync } from 'node:child_process';
import { firefox as playwright } from 'playwright-core';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SIZES } from './browser.mjs';
import { until } from './check.mjs';
import { installed, OUT } from './paths.mjs';

/** Its program, or `null`. */
const program = () => installed('firefox-esr', 'firefox');

/** What is missing to start it, in words; `null` when nothing is. */
export function missing() {
  // Ubuntu's package is a hull that fetches another.
  const works = program() && spawnSync(program(), ['--version'], { encoding: 'utf8' }).stdout?.includes('Firefox');
  return works ? null : 'no Firefox here: apt-get install firefox-esr';
}

/** Starts it with a fresh profile and one page. `prefs` are settings as in `about:config`. */
export async function launchFirefox({ prefs = {} } = {}) {
  const files = mkdtempSync(join(tmpdir(), 'engram-firefox-'));
  const options = { channel: 'moz-firefox', executablePath: program(), headless: true, firefoxUserPrefs: prefs, downloadsPath: files };
  const browser = await playwright.launch(options);
  const page = await browser.newPage({ viewport: SIZES.laptop });
  const complaints = [];
  page.on('console', message => {
    if (message.type() === 'error') complaints.push(`console: ${message.text()}`);
  });
  page.on('pageerror', error => complaints.push(`error: ${error}`));
  return {
    page,
    open: url => page.goto(url),
    evaluate: (work, ...args) => page.evaluate(([work, args]) => (0, eval)(`(${work})`)(...args), [String(work), args]),
    press: path => page.locator(`xpath=${path}`).first().click(),
    /** The path of the file that is saved when this is pressed; its name is the browser's to choose. */
    saved: async button => {
      const before = readdirSync(files);
      await button.click();
      // Firefox holds the name with an empty file, and writes beside it until all is there.
      const whole = () => {
        const added = readdirSync(files).filter(name => !before.includes(name));
        return !added.some(name => name.endsWith('.part')) && added.find(name => statSync(join(files, name)).size > 0);
      };
      return join(files, await until('the file', whole));
    },
    picture: name => page.screenshot({ path: join(OUT, `${name}.png`) }),
    close: async () => {
      await browser.close();
      rmSync(files, { recursive: true, force: true, maxRetries: 5 });
      if (complaints.length > 0) throw new Error(`the page complained:\n  ${complaints.join('\n  ')}`);
    },
  };
}
