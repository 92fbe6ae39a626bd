'use strict';

// Starts the simulator's binary and talks to its control API.

const { spawn } = require('node:child_process');
const path = require('node:path');
const readline = require('node:readline');

const ROOT = path.resolve(__dirname, '..', '..', '..');
const BINARY = process.env.SIMULATOR_BINARY ?? path.join(ROOT, 'target', 'debug', 'simulator');

/** Starts a simulator with one app per entry of `apps` (its options); it ends with this process at the latest. */
async function startSimulator(apps) {
  const options = apps.flatMap(app => ['--app', JSON.stringify(app)]);
  const child = spawn(BINARY, ['--until-stdin-closes', ...options], { stdio: ['pipe', 'pipe', 'inherit'] });
  const started = await new Promise((resolve, reject) => {
    child.once('error', error => reject(new Error(`${BINARY}: ${error.message}; cargo build -p simulator makes it`)));
    child.once('exit', code => reject(new Error(`the simulator ended with ${code}`)));
    readline.createInterface({ input: child.stdout }).once('line', line => resolve(JSON.parse(line)));
  });
  async function control(method, resource, body) {
    const response = await fetch(`${started.base_url}/_simulator/${resource}`, {
      method,
      headers: body && { 'content-type': 'application/json' },
      body: body && JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${resource}: ${response.status} ${text}`);
    return text && JSON.parse(text);
  }
  return {
    baseUrl: started.base_url,
    gatewayUrl: started.gateway_url,
    apps: started.apps,
    control,
    async code(appId, scope) {
      return (await control('POST', 'codes', { app_id: appId, scope })).code;
    },
    async stop() {
      const ended = new Promise(resolve => child.once('exit', resolve));
      child.stdin.end();
      await ended;
    },
  };
}

module.exports = { startSimulator };
