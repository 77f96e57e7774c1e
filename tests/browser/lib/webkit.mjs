// WebKitGTK's small browser, driven by its W3C WebDriver on a display that nobody sees.

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './check.mjs';
import { installed, OUT } from './paths.mjs';

/** The key under which WebDriver names an element. */
const ELEMENT = 'element-6066-11e4-a52e-4f735466cecf';

/** The browser that Debian has beside the library, in a folder of the machine's architecture. */
function miniBrowser() {
  const named = installed('MiniBrowser');
  if (named) return named;
  const folders = ['/usr/lib', '/usr/libexec'].filter(path => existsSync(path));
  const below = folders.flatMap(path => [path, ...readdirSync(path).filter(name => name.includes('-linux-')).map(name => join(path, name))]);
  const all = below.flatMap(path => readdirSync(path).filter(name => name.startsWith('webkit2gtk-')).map(name => join(path, name, 'MiniBrowser')));
  return all.find(path => existsSync(path)) ?? null;
}

/** What is missing to start it, in words; `null` when nothing is. */
export function missing() {
  if (!installed('WebKitWebDriver') || !miniBrowser()) return 'no WebKitGTK here: apt-get install webkit2gtk-driver';
  if (!process.env.DISPLAY && !installed('Xvfb')) return 'no display for WebKitGTK here: apt-get install xvfb';
  return null;
}

/** Ends a program, and waits until it has ended. */
async function end(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise(done => child.once('exit', done));
  child.kill();
  const late = setTimeout(() => child.kill('SIGKILL'), 5000);
  await ended;
  clearTimeout(late);
}

/** A port that nobody uses. */
async function free() {
  const server = createServer();
  await new Promise(done => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  await new Promise(done => server.close(done));
  return port;
}

/** Starts the browser, with a home of its own that is gone with it. */
export async function launchWebKit() {
  const home = mkdtempSync(join(tmpdir(), 'engram-webkit-'));
  const started = [];
  const close = async () => {
    for (const child of started.reverse()) await end(child);
    // Its helpers end a moment later.
    await rm(home, { recursive: true, force: true, maxRetries: 50, retryDelay: 20 });
  };
  try {
    const env = { ...process.env, HOME: home, XDG_DATA_HOME: home, XDG_CACHE_HOME: home, XDG_CONFIG_HOME: home, NO_AT_BRIDGE: '1' };
    if (!process.env.DISPLAY) {
      const screen = ['-displayfd', '3', '-screen', '0', '1400x1000x24', '-nolisten', 'tcp'];
      const display = spawn('Xvfb', screen, { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] });
      started.push(display);
      env.DISPLAY = await new Promise((done, fail) => {
        display.stdio[3].once('data', number => done(`:${number.toString().trim()}`));
        display.once('exit', code => fail(new Error(`Xvfb ended at once, exit code ${code}`)));
      });
      // Software drawing, and the display that was just made, wherever the person sits.
      Object.assign(env, { GDK_BACKEND: 'x11', LIBGL_ALWAYS_SOFTWARE: '1' });
    }
    const port = await free();
    started.push(spawn('WebKitWebDriver', [`--port=${port}`], { stdio: 'ignore', env }));
    const driver = `http://127.0.0.1:${port}`;
    await until('the driver answers', () => fetch(`${driver}/status`).then(() => true, () => false), 20);
    const browser = { binary: miniBrowser(), args: ['--automation'] };
    const { sessionId } = await ask(driver, 'POST', '/session', { capabilities: { alwaysMatch: { 'webkitgtk:browserOptions': browser } } });
    const window = new Window(`${driver}/session/${sessionId}`, close);
    await window.ask('POST', '/window/rect', { width: 1280, height: 900 });
    return window;
  } catch (error) {
    await close();
    throw error;
  }
}

async function ask(driver, method, path, body) {
  const response = await fetch(driver + path, { method, body: body === undefined ? undefined : JSON.stringify(body) });
  const { value } = await response.json();
  if (!response.ok) throw new Error(`${method} ${path}: ${value.error}: ${value.message}`);
  return value;
}

/** The browser's only window. */
class Window {
  constructor(session, close) {
    this.session = session;
    this.close = async () => {
      await this.ask('DELETE', '').catch(() => {});
      await close();
    };
  }

  ask(method, path, body) {
    return ask(this.session, method, path, body);
  }

  /** Opens an address. */
  async open(url) {
    await this.ask('POST', '/url', { url });
  }

  /** Runs a function in the page, and gives what it gives. */
  evaluate(work, ...args) {
    return this.ask('POST', '/execute/sync', { script: `return (${work})(...arguments)`, args });
  }

  /** Clicks as a person does on the first element that an XPath names. */
  async press(path) {
    const element = await this.ask('POST', '/element', { using: 'xpath', value: path });
    await this.ask('POST', `/element/${element[ELEMENT]}/click`, {});
  }

  /** Keeps a picture of the window. */
  async picture(name) {
    writeFileSync(join(OUT, `${name}.png`), Buffer.from(await this.ask('GET', '/screenshot'), 'base64'));
  }
}
