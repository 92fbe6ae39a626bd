'use strict';

// The official Node SDK, not changed, in a place where nothing is left to chance: the clock is fixed, nonces are counted,
// `createSign` is watched for the text that is signed, and requests go to a server on loopback that keeps them as they came.

const crypto = require('node:crypto');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');

const CLOCK = '2026-01-02 03:04:05';

if (process.env.TZ !== 'Asia/Shanghai' || new Date(0).getHours() !== 8) {
  throw new Error('run it with TZ=Asia/Shanghai: the SDK writes the time of the host');
}
const Now = Date;
global.Date = class extends Now {
  constructor(...given) {
    super(...(given.length ? given : [Date.now()]));
  }

  static now() {
    return Now.parse(`${CLOCK.replace(' ', 'T')}+08:00`);
  }
};

let nonces = 0;
crypto.randomUUID = () => {
  nonces += 1;
  return `00000000-0000-4000-8000-${String(nonces).padStart(12, '0')}`;
};

let signedText;
const { createSign } = crypto;
crypto.createSign = algorithm => {
  const signer = createSign(algorithm);
  const update = signer.update.bind(signer);
  signer.update = (text, encoding) => {
    signedText = text;
    return update(text, encoding);
  };
  return signer;
};

// After the watch is in place.
const { AlipaySdk } = require('alipay-sdk');
const { version } = require('alipay-sdk/package.json');

/** A server on loopback that answers V2 requests with an unsigned success and keeps the last request. */
async function receiver() {
  let received;
  const server = http.createServer((request, response) => {
    const chunks = [];
    request.on('data', chunk => chunks.push(chunk));
    request.on('end', () => {
      received = { http_method: request.method, target: request.url, headers: request.headers, body: Buffer.concat(chunks).toString() };
      const method = new URLSearchParams(request.url.split('?')[1]).get('method') ?? '';
      response.end(JSON.stringify({ [`${method.replaceAll('.', '_')}_response`]: { code: '10000' } }));
    });
  });
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `http://127.0.0.1:${server.address().port}`,
    received: () => received,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

module.exports = {
  AlipaySdk,
  receiver,
  signedText: () => signedText,
  read: (folder, file) => fs.readFileSync(path.join(folder, file), 'utf8'),
  write: cases => process.stdout.write(`${JSON.stringify({ made_by: `alipay-sdk ${version} (npm)`, clock: `${CLOCK} +08:00`, cases }, null, 1)}\n`),
};
