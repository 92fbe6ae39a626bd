'use strict';

// Makes the throw-away keys of the vectors, where they are absent: node make-keys.js FOLDER

const { generateKeyPairSync } = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');

const folder = process.argv[2];
fs.mkdirSync(folder, { recursive: true });

for (const bits of [2048, 3072]) {
  const file = form => path.join(folder, `app-${bits}.${form}.pem`);
  if (fs.existsSync(file('pkcs8'))) continue;
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: bits });
  fs.writeFileSync(file('pkcs8'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
  fs.writeFileSync(file('pkcs1'), privateKey.export({ type: 'pkcs1', format: 'pem' }));
  fs.writeFileSync(file('public'), publicKey.export({ type: 'spki', format: 'pem' }));
}
