// Starts each rival against stubs of the Runtime API, the gateway and the table, and looks at what it sends and answers.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createSign, createVerify, generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';

const HERE = import.meta.dirname;
const RUNTIMES = ['node', 'python'];
const JOBS = {
  'get-mini-code': {
    method: 'alipay.open.app.qrcode.create',
    event: { page: 'pages/shop/index', scene: 'a=1&b=2' },
    reply: { code: '10000', msg: 'Success', qr_code_url: 'https://mobilecodec.alipay.com/show.htm?code=1' },
    answer: { code: 0, qr_code_url: 'https://mobilecodec.alipay.com/show.htm?code=1' },
  },
  code2session: {
    method: 'alipay.system.oauth.token',
    event: { code: 'one-time-code' },
    reply: {
      user_id: '2088000000000001',
      access_token: 'access-token',
      refresh_token: 'refresh-token',
      expires_in: 1296000,
      re_expires_in: 2592000,
    },
    answer: { code: 0, openid: '2088000000000001', expiresIn: 1296000, reExpiresIn: 2592000 },
  },
};

const folder = mkdtempSync(path.join(tmpdir(), 'rivals-'));
const app = generateKeyPairSync('rsa', { modulusLength: 2048 });
const alipay = generateKeyPairSync('rsa', { modulusLength: 2048 });
const impostor = generateKeyPairSync('rsa', { modulusLength: 2048 });
const file = name => path.join(folder, name);
const certificate = spawnSync('openssl', [
  ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=127.0.0.1'],
  ...['-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', file('tls.key'), '-out', file('tls.pem')],
]);
const withoutOpenssl = certificate.status === 0 ? false : 'openssl is not there to make a certificate';

before(() => {
  writeFileSync(file('app.pem'), app.privateKey.export({ type: 'pkcs8', format: 'pem' }));
  writeFileSync(file('alipay.pem'), alipay.publicKey.export({ type: 'spki', format: 'pem' }));
});
after(() => rmSync(folder, { recursive: true }));

/** A server on a free port that hands whole requests to `answer`. */
async function serve(answer, tls) {
  const taken = async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    answer({ request, body: Buffer.concat(chunks).toString() }, response);
  };
  const server = tls
    ? https.createServer({ key: readFileSync(file('tls.key')), cert: readFileSync(file('tls.pem')) }, taken)
    : http.createServer(taken);
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${server.address().port}`;
  const served = { host, url: `${tls ? 'https' : 'http'}://${host}`, connections: 0 };
  server.on(tls ? 'secureConnection' : 'connection', () => served.connections++);
  served.stop = () => {
    server.close();
    server.closeAllConnections();
  };
  return served;
}

/** What the handler answers to its job's event, and what it sent on the way. */
async function run(runtime, job, { tls = false, trusting = tls, key = alipay.privateKey } = {}) {
  const { method, event, reply } = JOBS[job];
  const sent = { gateway: [], table: [] };
  const gateway = await serve(({ request, body }, response) => {
    const query = new URL(request.url, 'http://gateway').searchParams;
    sent.gateway.push({ query, form: new URLSearchParams(body) });
    const node = JSON.stringify(reply);
    const sign = createSign('RSA-SHA256').update(node).sign(key, 'base64');
    response.end(`{"${method.replaceAll('.', '_')}_response":${node},"sign":"${sign}"}`);
  }, tls);
  const table = await serve(({ request, body }, response) => {
    sent.table.push({ target: request.headers['x-amz-target'], item: JSON.parse(body).Item });
    response.writeHead(200, { 'content-type': 'application/x-amz-json-1.0', 'x-amz-crc32': '2745614147' }).end('{}');
  }, tls);
  const invocations = ['1', '2'];
  const answers = [];
  let done;
  const finished = new Promise(resolve => (done = resolve));
  const runtimeApi = await serve(({ request, body }, response) => {
    if (request.url.endsWith('/next')) {
      // The last `next` is never answered, as on Lambda while nothing happens.
      if (invocations.length === 0) return done();
      const head = {
        'content-type': 'application/json',
        'lambda-runtime-aws-request-id': invocations.shift(),
        'lambda-runtime-deadline-ms': String(Date.now() + 10_000),
        'lambda-runtime-invoked-function-arn': 'arn:aws:lambda:eu-central-1:123456789012:function:rival',
      };
      const sending = { version: '2.0', body: JSON.stringify(event), isBase64Encoded: false };
      return response.writeHead(200, head).end(JSON.stringify(sending));
    }
    answers.push(JSON.parse(body));
    response.writeHead(202).end();
  });
  const variables = trusting ? ['NODE_EXTRA_CA_CERTS', 'AWS_CA_BUNDLE', 'REQUESTS_CA_BUNDLE', 'SSL_CERT_FILE'] : [];
  const roots = Object.fromEntries(variables.map(name => [name, file('tls.pem')]));
  // Nothing of this process's environment: the bench starts them like this too.
  const environment = {
    ...roots,
    AWS_LAMBDA_RUNTIME_API: runtimeApi.host,
    AWS_LAMBDA_FUNCTION_NAME: job,
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '128',
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_LAMBDA_LOG_GROUP_NAME: '/aws/lambda/rival',
    AWS_LAMBDA_LOG_STREAM_NAME: 'stream',
    AWS_REGION: 'eu-central-1',
    AWS_ACCESS_KEY_ID: 'id',
    AWS_SECRET_ACCESS_KEY: 'secret',
    AWS_ENDPOINT_URL_DYNAMODB: table.url,
    TOKEN_TABLE: 'tokens',
    ALIPAY_APP_ID: '2021000000000001',
    ALIPAY_PRIVATE_KEY_FILE: file('app.pem'),
    ALIPAY_PUBLIC_KEY_FILE: file('alipay.pem'),
    ALIPAY_GATEWAY: `${gateway.url}/gateway.do`,
  };
  const child = spawn(path.join(HERE, `run-${runtime}`), [job], { env: environment, cwd: folder });
  let log = '';
  child.stdout.on('data', text => (log += text));
  child.stderr.on('data', text => (log += text));
  const ended = new Promise((_, reject) => {
    child.on('exit', code => reject(new Error(`${runtime} ended with ${code}: ${log}`)));
  });
  try {
    await Promise.race([finished, ended]);
  } finally {
    ended.catch(() => {});
    child.kill('SIGKILL');
    for (const server of [gateway, table, runtimeApi]) server.stop();
  }
  return { answers, sent, log, connections: { gateway: gateway.connections, table: table.connections } };
}

/** Whether the request that the gateway got is signed with the app's key. */
function isSigned({ query, form }) {
  const parameters = [...query, ...form].filter(([name]) => name !== 'sign').sort(([a], [b]) => (a < b ? -1 : 1));
  const text = parameters.map(([name, value]) => `${name}=${value}`).join('&');
  return createVerify('RSA-SHA256').update(text).verify(app.publicKey, query.get('sign'), 'base64');
}

for (const runtime of RUNTIMES) {
  for (const [job, { method, answer }] of Object.entries(JOBS)) {
    for (const tls of [false, true]) {
      test(`${runtime} does ${job} ${tls ? 'over TLS' : 'in plain'}`, { skip: tls && withoutOpenssl }, async () => {
        const { answers, sent, log, connections } = await run(runtime, job, { tls });
        assert.equal(answers.length, 2, log);
        for (const { statusCode, body } of answers) {
          assert.equal(statusCode, 200, log);
          for (const [name, value] of Object.entries(answer)) assert.equal(JSON.parse(body)[name], value);
        }
        assert.equal(sent.gateway.length, 2);
        for (const request of sent.gateway) {
          assert.equal(request.query.get('method'), method);
          assert.ok(isSigned(request), 'the request is signed with the app’s key');
        }
        const writes = job === 'code2session' ? 2 : 0;
        assert.equal(sent.table.length, writes);
        // The Python SDK makes a new connection for each call; everything else is kept alive.
        assert.deepEqual(connections, { gateway: runtime === 'python' ? 2 : 1, table: job === 'code2session' ? 1 : 0 });
        for (const { target, item } of sent.table) {
          assert.equal(target, 'DynamoDB_20120810.PutItem');
          assert.equal(item.access_token.S, 'access-token');
          assert.equal(item.refresh_token.S, 'refresh-token');
        }
      });
    }

    test(`${runtime} refuses a wrong signature at ${job}`, async () => {
      const { answers, sent, log } = await run(runtime, job, { key: impostor.privateKey });
      assert.equal(sent.gateway.length, 2);
      assert.deepEqual(answers.map(({ statusCode }) => statusCode), [502, 502], log);
      assert.equal(sent.table.length, 0);
    });
  }

  test(`${runtime} refuses a gateway whose certificate it does not know`, { skip: withoutOpenssl }, async () => {
    const { answers, sent, log } = await run(runtime, 'get-mini-code', { tls: true, trusting: false });
    assert.deepEqual(answers.map(({ statusCode }) => statusCode), [502, 502], log);
    assert.equal(sent.gateway.length, 0);
  });
}
