'use strict';

// Texts encrypted by RSA-OAEP, and what must not pass for one: node make-node-x-signature.js KEYS > node-x-signature.json
//
// The padding is random as a rule. So it is written here step by step (RFC 8017, section 7.1.1) with a fixed seed, and what comes out
// has to be decrypted, or refused, by Node's own RSA-OAEP with SHA-256.

const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');

const keys = process.argv[2];

const TEXT = 'session_token=bts0123456789abcdef&timestamp=1767294245000&nonce=19b7b2ac488';

const hash = (name, data) => crypto.createHash(name).update(data).digest();

function mgf1(name, seed, length) {
  const blocks = [];
  for (let counter = 0; Buffer.concat(blocks).length < length; counter += 1) {
    const suffix = Buffer.alloc(4);
    suffix.writeUInt32BE(counter);
    blocks.push(hash(name, Buffer.concat([seed, suffix])));
  }
  return Buffer.concat(blocks).subarray(0, length);
}

const xor = (left, right) => Buffer.from(left.map((byte, index) => byte ^ right[index]));

/** The encoded message, with whatever is to be wrong with it. */
function padded(message, size, { digest = 'sha256', mask = digest, label = '', first = 0, separator = 1 } = {}) {
  const labelHash = hash(digest, label);
  const seed = hash(digest, 'seed');
  const zeros = Buffer.alloc(size - message.length - 2 * labelHash.length - 2);
  const block = Buffer.concat([labelHash, zeros, Buffer.from([separator]), message]);
  const maskedBlock = xor(block, mgf1(mask, seed, block.length));
  const maskedSeed = xor(seed, mgf1(mask, maskedBlock, seed.length));
  return Buffer.concat([Buffer.from([first]), maskedSeed, maskedBlock]);
}

/** As PKCS#1 1.5 pads for encryption (RFC 8017, section 7.2.1), with the same byte throughout for what is random there. */
function padded15(message, size) {
  const filling = Buffer.alloc(size - message.length - 3, 0xa5);
  return Buffer.concat([Buffer.from([0, 2]), filling, Buffer.from([0]), message]);
}

function decrypted(privateKey, encrypted) {
  try {
    const options = { key: privateKey, padding: crypto.constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' };
    return crypto.privateDecrypt(options, encrypted);
  } catch {
    return null;
  }
}

const message = Buffer.from(TEXT);
const WRONG = {
  'mgf1-sha1': size => padded(message, size, { mask: 'sha1' }),
  'sha1': size => padded(message, size, { digest: 'sha1' }),
  'label': size => padded(message, size, { label: 'session' }),
  'first-byte': size => padded(message, size, { first: 1 }),
  'separator': size => padded(message, size, { separator: 2 }),
  'no-separator': size => padded(Buffer.alloc(0), size, { separator: 0 }),
  'pkcs1-1.5': size => padded15(message, size),
  'zero': size => Buffer.alloc(size),
  'one': size => Buffer.concat([Buffer.alloc(size - 1), Buffer.from([1])]),
};

const cases = ['app-2048', 'app-3072'].flatMap(key => {
  const read = form => fs.readFileSync(path.join(keys, `${key}.${form}.pem`), 'utf8');
  const [privateKey, publicKey] = [read('pkcs8'), read('public')];
  const size = crypto.createPublicKey(publicKey).asymmetricKeyDetails.modulusLength / 8;
  const made = (name, block, text) => {
    const encrypted = crypto.publicEncrypt({ key: publicKey, padding: crypto.constants.RSA_NO_PADDING }, block);
    const found = decrypted(privateKey, encrypted);
    if (text === undefined ? found !== null : found?.toString() !== text) throw new Error(`${key} ${name}: Node says otherwise`);
    return { id: `node-x-signature-${key}-${name}`, key, encrypted: encrypted.toString('base64'), text };
  };
  const longest = 'x'.repeat(size - 66);
  return [
    made('right', padded(message, size), TEXT),
    made('longest', padded(Buffer.from(longest), size), longest),
    made('empty', padded(Buffer.alloc(0), size), ''),
    ...Object.entries(WRONG).map(([name, block]) => made(name, block(size))),
  ];
});

process.stdout.write(`${JSON.stringify({ made_by: 'make-node-x-signature.js', cases }, null, 1)}\n`);
