// A web site that lets people log in with Alipay: a merchant's shop, or an OpenID Connect client.

import { once } from 'node:events';
import { createServer } from 'node:http';

/**
 * Starts a site on a free port. It is called `localhost` while the login is on `127.0.0.1`, so for a browser they are two sites, as in
 * life, and `SameSite` counts.
 */
export async function startSite() {
  const visits = [];
  const server = createServer((request, response) => {
    const address = new URL(request.url, 'http://localhost');
    visits.push(address);
    response.setHeader('content-type', 'text/html; charset=utf-8');
    const target = address.pathname === '/' && address.searchParams.get('to');
    response.end(target ? `<a href="${escaped(target)}">支付宝登录</a>` : '<p>商家的页面</p>');
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const origin = `http://localhost:${server.address().port}`;
  return {
    /** The full address of a path of this site. */
    url: path => `${origin}${path}`,
    /** How often that path was visited. */
    visitsOf: path => visits.filter(({ pathname }) => pathname === path).length,
    /** Has somebody come by and click on the site's login link, which leads to `target`. */
    async sendToLogin({ page }, target) {
      await page.goto(`${origin}/?${new URLSearchParams({ to: target })}`);
      await page.click('a');
    },
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function escaped(text) {
  return text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');
}
