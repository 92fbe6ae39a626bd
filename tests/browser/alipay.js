// Alipay's consent page, as the simulator shows it, and what a person does there.

export const CONSENT_PAGE = '/oauth2/publicAppAuthorize.htm';

const AGREE = 'button[value=agree]';
const REFUSE = 'button[value=refuse]';

/** Waits until the visitor stands on the consent page. */
export function consentPage({ page }) {
  return page.waitForSelector(AGREE);
}

/**
 * Agrees, as on a site of its own: the simulator and the login have one host, so the page is opened once more under its other name, and
 * the way back to the login comes from another site, as from Alipay's.
 */
export async function agree(visitor) {
  await consentPage(visitor);
  await visitor.page.goto(visitor.page.url().replace('//127.0.0.1:', '//localhost:'));
  await visitor.page.click(AGREE);
}

/** Presses 拒绝. */
export async function refuse(visitor) {
  await consentPage(visitor);
  await visitor.page.click(REFUSE);
}

/** Where Alipay would send this visitor after 同意, without going there: the link that somebody else can be given to open. */
export async function callbackLink(visitor) {
  await consentPage(visitor);
  const { action, fields } = await visitor.page.$eval(AGREE, button => ({
    action: button.form.action,
    fields: [...new FormData(button.form, button)],
  }));
  const response = await fetch(action, { method: 'POST', body: new URLSearchParams(fields), redirect: 'manual' });
  return response.headers.get('location');
}
