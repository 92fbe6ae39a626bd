// Starts the development server's binary with a login document, and asks its simulator what Alipay has seen.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = path.resolve(fileURLToPath(import.meta.url), '..', '..', '..');
const BINARY = process.env.DEV_SERVER_BINARY ?? path.join(ROOT, 'target', 'debug', 'dev-server');

/** The simulated app, and the simulated user who logs in to it. */
export const APP_ID = '2021000000000001';
export const USER_ID = '2088000000000001';
export const USER_NAME = '小明';

/**
 * Starts a server whose login document has these clients, or the one that the server makes by itself. It is ended when this process exits.
 * With `schedule` it does by itself what the schedules do on AWS, as `make run` has it.
 */
export async function startDevServer(clients, { schedule = false } = {}) {
  const folder = mkdtempSync(path.join(tmpdir(), 'browser-tests-'));
  const login = clients ? ['--login', loginDocument(folder, clients)] : [];
  const options = ['--port', '0', ...(schedule ? [] : ['--no-schedule']), ...login];
  const child = spawn(BINARY, options, { stdio: ['ignore', 'pipe', 'pipe'] });
  const end = () => child.kill();
  process.once('exit', end);
  let log = '';
  let printed = '';
  child.stderr.setEncoding('utf8').on('data', text => (log += text));
  child.stdout.setEncoding('utf8').on('data', text => (printed += text));
  const banner = await whatItPrints(child, () => log);
  const url = found(banner, /is running on (http:\S+)/);
  const simulator = found(banner, /control: (http:\S+)\/_simulator\//);

  return {
    /** `http://127.0.0.1:PORT`, which is also the issuer. */
    url,
    /** Where Alipay's consent page is. */
    simulator,
    /** What the server printed when it was ready. */
    banner,
    /** All that it has printed so far: the same, and a line for each event that was published. */
    printed: () => printed,
    /** What the server has logged so far. */
    log: () => log,
    /** How many codes were exchanged at the gateway, or were tried to be. */
    async exchanges() {
      const { counts } = await (await fetch(`${simulator}/_simulator/received`)).json();
      return counts['alipay.system.oauth.token'] ?? 0;
    },
    async stop() {
      process.off('exit', end);
      const ended = once(child, 'exit');
      end();
      await ended;
      rmSync(folder, { recursive: true });
    },
  };
}

function loginDocument(folder, clients) {
  const document = JSON.parse(execFileSync(BINARY, ['login-keys', 'new'], { encoding: 'utf8' }));
  const file = path.join(folder, 'login.json');
  writeFileSync(file, JSON.stringify({ ...document, clients }), { mode: 0o600 });
  return file;
}

function whatItPrints(child, log) {
  return new Promise((resolve, reject) => {
    let banner = '';
    child.once('error', error => reject(new Error(`${BINARY}: ${error.message}; cargo build -p dev-server makes it`)));
    child.once('exit', code => reject(new Error(`the development server ended with ${code}\n${log()}`)));
    child.stdout.setEncoding('utf8').on('data', text => {
      banner += text;
      if (banner.includes('Stop with Ctrl-C')) resolve(banner);
    });
  });
}

function found(banner, pattern) {
  const match = pattern.exec(banner);
  if (!match) throw new Error(`${pattern} is not in what the development server prints:\n${banner}`);
  return match[1];
}
