// Headless Chromium, and people who sit in front of it.

import { chromium } from 'playwright-core';

const LIMIT_MS = 15_000;

const ARGUMENTS = [
  '--disable-gpu',
  '--disable-quic',
  // Loopback is all there is: what is not on this machine cannot be asked, whatever page or browser wants to.
  '--no-proxy-server',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1',
];

/** Starts the Chromium that CHROMIUM names, with a fresh profile. */
export function startChromium() {
  const executablePath = process.env.CHROMIUM;
  if (!executablePath) throw new Error('CHROMIUM names no browser; tests/browser/run sets it');
  return chromium.launch({ executablePath, args: ARGUMENTS });
}

/**
 * Somebody with a browser of their own, who shares no cookie with anybody else.
 *
 * `addresses` are all that their page was sent to, redirects among them; `violations` is what the browser said of a page that does
 * what its Content-Security-Policy forbids.
 */
export async function visitor(browser) {
  const context = await browser.newContext({ locale: 'zh-CN' });
  context.setDefaultTimeout(LIMIT_MS);
  const page = await context.newPage();
  const addresses = [];
  const violations = [];
  page.on('request', request => {
    if (request.isNavigationRequest()) addresses.push(new URL(request.url()));
  });
  page.on('console', message => {
    if (message.text().includes('Content Security Policy')) violations.push(message.text());
  });
  return { context, page, addresses, violations };
}

/** The address of that path which the visitor was sent to last. */
export function lastAddress(of, path) {
  const address = of.addresses.findLast(candidate => candidate.pathname === path);
  if (!address) throw new Error(`nobody was sent to ${path}, but to ${of.addresses.map(({ pathname }) => pathname).join(', ')}`);
  return address;
}
