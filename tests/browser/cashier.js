// Alipay's cashier, as the simulator shows it, and what a buyer does there.

export const PAY = 'pay';
export const CANCEL = 'cancel';
export const LEAVE = 'leave';

/** Goes to the cashier and reads what it asks for. */
export async function openCashier({ page }, address) {
  await page.goto(address);
  const text = selector => page.innerText(selector);
  return {
    subject: await text('#subject'),
    amount: await text('#amount'),
    payee: await text('#payee'),
    outTradeNo: await text('#out-trade-no'),
  };
}

/** Presses one of the three buttons; what the app or the mini-program is given. */
export async function decide({ page }, decision) {
  await page.click(`button[value=${decision}]`);
  return JSON.parse(await page.innerText('#result'));
}

/** Goes to the cashier, which refuses: with which status, and the sub_code that it shows. */
export async function refusalAt({ page }, address) {
  const response = await page.goto(address);
  return { status: response.status(), code: await shownRefusal(page) };
}

/** Presses a button of a page that the cashier no longer takes; the sub_code that it shows. */
export async function decideInVain({ page }, decision) {
  await page.click(`button[value=${decision}]`);
  await page.waitForSelector('#error, #result');
  return shownRefusal(page);
}

function shownRefusal(page) {
  return page.$eval('#error', ({ dataset }) => dataset.code);
}
