// The loop between Lambda's Runtime API and a handler: on Lambda, Node's managed runtime has it (with a native HTTP client).
// This one does less: no patched console, no X-Ray, no response streaming, no search for the handler.
// Usage: node runtime.cjs BUNDLE

'use strict';

const http = require('node:http');

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

function request(method, path, body) {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const sent = http.request({ host, port, agent, method, path: `/2018-06-01/runtime/${path}`, headers }, reply => {
      const chunks = [];
      reply.on('data', chunk => chunks.push(chunk));
      reply.on('end', () => resolve({ headers: reply.headers, body: Buffer.concat(chunks).toString() }));
      reply.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

function described(error) {
  return JSON.stringify({ errorType: error?.name ?? 'Error', errorMessage: String(error?.message ?? error), trace: [] });
}

async function main() {
  let handler;
  try {
    ({ handler } = require(process.argv[2]));
  } catch (error) {
    console.error(error);
    await request('POST', 'init/error', described(error));
    process.exit(1);
  }
  for (;;) {
    const next = await request('GET', 'invocation/next');
    const id = next.headers['lambda-runtime-aws-request-id'];
    const deadline = Number(next.headers['lambda-runtime-deadline-ms']);
    const context = { awsRequestId: id, getRemainingTimeInMillis: () => deadline - Date.now() };
    try {
      const answer = await handler(JSON.parse(next.body), context);
      await request('POST', `invocation/${id}/response`, JSON.stringify(answer));
    } catch (error) {
      console.error(error);
      await request('POST', `invocation/${id}/error`, described(error));
    }
  }
}

main().catch(error => {
  console.error(error);
  process.exit(1);
});
