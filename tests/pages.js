/* Looks at pages in Chromium, with no network: node pages.js < job. What it finds, as JSON, goes to standard output.
 * The job: { chromium, shots, general: [path], demo: {...}, detector: {...} }; test_pages.py says what it is for. */
"use strict";

const fs = require("fs"), { chromium } = require("playwright-core");
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const WIDTHS = [360, 1440];
const base64 = path => fs.readFileSync(path).toString("base64");

async function open(browser, path, options = {}) {
    const { script, grant, ...rest } = options;
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, offline: true, ...rest });
    if (grant)
        await context.grantPermissions(grant);
    context.setDefaultTimeout(120_000); // of a loaded computer
    const page = await context.newPage(), errors = [], requests = [];
    page.on("console", message => message.type() === "error" && errors.push(message.text()));
    page.on("pageerror", error => errors.push(String(error)));
    page.on("request", request => /^(file|data|blob):/.test(request.url()) || requests.push(request.url()));
    if (script)
        await page.addInitScript(script);
    await page.goto(`file://${path}`);
    return { page, errors, requests, close: () => context.close() };
}

/* Every page: nothing wider than the window, no error, nothing fetched, no serious fault of accessibility. */
async function general(browser, path, shots, prepare = async () => {}) {
    const found = { overflow: {}, axe: {} };
    for (const colorScheme of ["light", "dark"])
        for (const width of colorScheme === "dark" ? WIDTHS.slice(0, 1) : WIDTHS) {
            const { page, errors, requests, close } = await open(browser, path, {
                colorScheme, viewport: { width, height: 900 } });
            await prepare(page);
            const name = `${width}-${colorScheme}`;
            found.figures = await page.evaluate(() => [...document.querySelectorAll("figure:has(svg)")].map(({ id }) => id));
            found.overflow[name] = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
            if (width === WIDTHS[0]) {
                await page.evaluate(axe);
                const { violations } = await page.evaluate(() => globalThis.axe.run());
                found.axe[name] = violations.filter(({ impact }) => ["serious", "critical"].includes(impact))
                    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(" | ")}`);
            }
            if (shots)
                await page.screenshot({ path: `${shots}-${name}.png`, fullPage: true });
            found.errors = [...found.errors || [], ...errors];
            found.requests = [...found.requests || [], ...requests];
            await close();
        }
    return found;
}

/* What the networks of a page see and say of encoded pictures. */
function seen(page, paths) {
    return page.evaluate(async pictures => {
        const all = [];
        for (const picture of pictures) {
            const bytes = Uint8Array.from(atob(picture), letter => letter.charCodeAt(0));
            const found = await etinynet.classify(new Blob([bytes]));
            all.push(found.map(({ input, ...rest }) => ({ input: [...input], ...rest })));
        }
        return all;
    }, paths.map(base64));
}

const answer = page => page.waitForSelector(".answers li");
/* How many pictures' answers were shown, when they are more than `than`. */
const shown = async (page, than = 0) => (await page.waitForFunction(n => etinynet.shown > n && etinynet.shown, than)).jsonValue();
const complaint = async page => {
    await page.waitForSelector("#alert:not([hidden])");
    return page.textContent("#alert");
};

async function demo(browser, { path, pictures, counts, corrupt, huge }) {
    const found = {};
    const { page, errors, requests, close } = await open(browser, path);
    found.kernels = await page.evaluate(() => etinynet.kernels);
    found.seen = await seen(page, pictures);
    found.digit = await page.evaluate(async all => (await etinynet.counts(all)).map(({ input, logits }) => (
        { input: [...input], logits })), counts);
    for (const [name, file] of Object.entries({ corrupt, huge })) {
        await page.setInputFiles("#file", file);
        found[name] = await complaint(page);
        await page.setInputFiles("#file", pictures[0]);
        await page.waitForSelector("#alert", { state: "hidden" });
    }
    for (const way of ["drop", "paste"]) {
        const before = await shown(page);
        await give(page, pictures[0], way);
        found[way] = await shown(page, before) > before;
    }
    Object.assign(found, { errors, requests });
    await close();
    Object.assign(found, { keyboard: await keyboard(browser, path, pictures[0]), camera: await cameras(browser, path) });
    const plain = await open(browser, path, { script: () => { WebAssembly.validate = () => false; } });
    found.plain = { kernels: await plain.page.evaluate(() => etinynet.kernels), seen: await seen(plain.page, pictures.slice(0, 1)),
        words: await plain.page.textContent("#kernels") };
    await plain.close();
    const old = await open(browser, path, { script: () => { delete globalThis.WebAssembly; } });
    await old.page.setInputFiles("#file", pictures[0]);
    found.old = await complaint(old.page);
    await old.close();
    return found;
}

/* Without a pointer: a digit drawn by keys, a picture chosen; returns what has had the focus. */
async function keyboard(browser, path, picture) {
    const { page, close } = await open(browser, path), focused = [];
    page.on("filechooser", () => {}); // from now on it is heard, and not shown
    const tab = async () => {
        await page.keyboard.press("Tab");
        focused.push(await page.evaluate(() => document.activeElement.id));
    };
    await tab();
    await page.keyboard.press(" ");
    for (let i = 0; i < 10; i++)
        await page.keyboard.press("ArrowDown");
    await page.keyboard.press(" ");
    await answer(page);
    const drawn = await shown(page);
    await tab();
    await tab();
    const [chooser] = await Promise.all([page.waitForEvent("filechooser"), page.keyboard.press(" ")]);
    await chooser.setFiles(picture);
    await shown(page, drawn);
    await tab();
    await close();
    return focused;
}

/* A picture that is dropped on the page or pasted. */
function give(page, picture, way) {
    return page.evaluate(([bytes, way]) => {
        const data = new DataTransfer(), content = Uint8Array.from(atob(bytes), letter => letter.charCodeAt(0));
        data.items.add(new File([content], "picture.png", { type: "image/png" }));
        document.body.dispatchEvent(way === "drop" ? new DragEvent("drop", { dataTransfer: data, bubbles: true })
            : new ClipboardEvent("paste", { clipboardData: data, bubbles: true }));
    }, [base64(picture), way]);
}

async function cameras(browser, path) {
    const found = {}, click = page => page.click("#camera");
    const live = await open(browser, path, { permissions: ["camera"] });
    await click(live.page);
    await answer(live.page);
    await shown(live.page, await shown(live.page));
    await click(live.page);
    found.pressed = await live.page.getAttribute("#camera", "aria-pressed");
    found.live = live.errors;
    await live.close();
    const { page, close } = await open(browser, path);
    await click(page);
    found.denied = await complaint(page);
    await page.evaluate(() => {
        navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("not found", "NotFoundError"));
    });
    await click(page);
    await page.waitForFunction(denied => !["", denied].includes(document.querySelector("#alert").textContent), found.denied);
    found.none = await complaint(page);
    await close();
    return found;
}

async function detector(browser, { path, pictures }) {
    const { page, errors, close } = await open(browser, path);
    const found = { seen: await seen(page, pictures), errors, names: await page.textContent(".answers") };
    await close();
    return found;
}

async function main() {
    const job = JSON.parse(fs.readFileSync(0, "utf8")), found = { pages: {} };
    const browser = await chromium.launch({ executablePath: job.chromium, args: [
        "--no-sandbox", "--use-fake-device-for-media-stream", "--disable-gpu", "--disable-extensions"] });
    try {
        for (const [name, { path, picture }] of Object.entries(job.pages || {}))
            found.pages[name] = await general(browser, path, job.shots && `${job.shots}/${name}`, async page => {
                if (picture) { // a demo
                    await page.setInputFiles("#file", picture);
                    await answer(page);
                }
            });
        if (job.demo)
            found.demo = await demo(browser, job.demo);
        if (job.detector)
            found.detector = await detector(browser, job.detector);
    } finally {
        await browser.close();
    }
    console.log(JSON.stringify(found));
}

main().catch(error => {
    console.error(error);
    process.exitCode = 1;
});
