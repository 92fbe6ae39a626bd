// The one client of Alipay's gateway, made once per process, and the one call that both handlers make with it.

import { readFileSync } from 'node:fs';
import { AlipaySdk } from 'alipay-sdk';

export const appId = process.env.ALIPAY_APP_ID;

const sdk = new AlipaySdk({
  appId,
  privateKey: readFileSync(process.env.ALIPAY_PRIVATE_KEY_FILE, 'utf8'),
  keyType: 'PKCS8',
  alipayPublicKey: readFileSync(process.env.ALIPAY_PUBLIC_KEY_FILE, 'utf8'),
  gateway: process.env.ALIPAY_GATEWAY,
});

export class Refused extends Error {
  name = 'Refused';
}

/** The reply of a signed call. `exec` checks the reply's signature only where it is asked to. */
export async function call(method, parameters) {
  const reply = await sdk.exec(method, parameters, { validateSign: true });
  // The code exchange succeeds without a code.
  if (reply.code && reply.code !== '10000') {
    throw new Refused(`${method}: ${reply.code} ${reply.subCode ?? ''}`);
  }
  return reply;
}
