'use strict';

// A merchant's server: takes notices, and answers `success`.

const http = require('node:http');

async function startMerchant() {
  const notices = [];
  const waiting = [];
  const server = http.createServer((request, response) => {
    const chunks = [];
    request.on('data', chunk => chunks.push(chunk));
    request.on('end', () => {
      const notice = Object.fromEntries(new URLSearchParams(Buffer.concat(chunks).toString()));
      (waiting.shift() ?? (waits => notices.push(waits)))(notice);
      response.end('success');
    });
  });
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}/notify`,
    /** The next notice that nobody has asked for yet, as a form parser of Node gives it. */
    next: () => new Promise(resolve => (notices.length ? resolve(notices.shift()) : waiting.push(resolve))),
    stop: () => server.close(),
  };
}

module.exports = { startMerchant };
