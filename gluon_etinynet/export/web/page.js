/* The page: pictures come in by file, drop, paste, camera or pad, go to the worker, and its answers are shown. */
"use strict";

const one = selector => document.querySelector(selector);
const content = JSON.parse(one("#content").textContent);
const TOP = 5, LEAST_SCORE = 0.3, KIB = 1024;
const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"];

/* ---- Which program: that with SIMD where the browser has it ---- */

const kernels = typeof WebAssembly !== "object" ? null : content.networks.every(({ programs }) =>
    WebAssembly.validate(Uint8Array.from(atob(programs.simd.wasm), letter => letter.charCodeAt(0)))) ? "simd" : "portable";
one("#kernels").textContent = {
    simd: "This browser has WebAssembly with SIMD128: the kernels for vectors run.",
    portable: "This browser has no SIMD in WebAssembly: the portable kernels run, which give the same numbers and take "
        + "some four times as long.",
}[kernels] || "This browser has no WebAssembly, without which nothing can run here: use a newer one.";

let worker, waiting = new Map(), count = 0;
if (kernels) {
    worker = new Worker(URL.createObjectURL(new Blob([one("#worker").textContent], { type: "text/javascript" })));
    worker.postMessage({ content, kernels });
    worker.onmessage = ({ data: { number, error, seen } }) => {
        const { resolve, reject } = waiting.get(number);
        waiting.delete(number);
        error ? reject(new Error(error)) : resolve(seen);
    };
    worker.onerror = event => {
        for (const { reject } of waiting.values())
            reject(new Error(event.message || "The program could not be started."));
        waiting.clear();
        complain(event.message || "The program could not be started.");
    };
}

/* What each network makes of a picture { width, height, data }; `drawn`: it is one of the pad's. */
function look(picture, drawn = false) {
    if (!worker)
        return Promise.reject(new Error(one("#kernels").textContent));
    return new Promise((resolve, reject) => {
        waiting.set(++count, { resolve, reject });
        worker.postMessage({ number: count, picture, drawn });
    });
}

/* ---- Pictures ---- */

const canvas = one("#picture");

function complain(text) {
    one("#alert").textContent = text;
    one("#alert").hidden = !text;
}

/* The pixels of an encoded picture, as they are stored, turned as the camera says. */
async function decode(blob) {
    if (blob.size > content.mostBytes)
        throw new Error(`The file has ${(blob.size / 1e6).toFixed(0)} MB, more than a picture may have here `
            + `(${(content.mostBytes / 1e6).toFixed(0)} MB): choose a smaller one.`);
    let bitmap;
    try {
        bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
    } catch (error) {
        throw new Error(`${blob.name || "This"} is not a picture that the browser can decode, or it is damaged: `
            + "choose another.");
    }
    return bitmap;
}

/* Show a picture whole, and return its pixels. */
function pixels(source, width, height) {
    if (width * height > content.mostPixels)
        throw new Error(`The picture has ${width} x ${height} pixels, more than ${content.mostPixels / 1e6} million: `
            + "make it smaller first.");
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d", { willReadFrequently: true, alpha: false });
    context.drawImage(source, 0, 0);
    try {
        return context.getImageData(0, 0, width, height);
    } catch (error) {
        throw new Error(`The browser has not the memory for a picture of ${width} x ${height} pixels: make it smaller `
            + "first.");
    }
}

async function classify(blob) {
    const bitmap = await decode(blob);
    const picture = pixels(bitmap, bitmap.width, bitmap.height);
    bitmap.close();
    const seen = await look(picture);
    show(seen);
    return seen;
}

async function take(blob) {
    stopCamera();
    complain("");
    document.body.classList.add("busy");
    try {
        await classify(blob);
    } catch (error) {
        complain(error.message);
    }
    document.body.classList.remove("busy");
}

one("#file").addEventListener("change", ({ target }) => {
    if (target.files.length)
        take(target.files[0]);
    target.value = "";
});
document.addEventListener("paste", ({ clipboardData }) => {
    const item = [...clipboardData.items].find(each => each.kind === "file");
    item ? take(item.getAsFile()) : complain("There is no picture in what was pasted.");
});
for (const name of ["dragenter", "dragover", "dragleave", "drop"])
    document.addEventListener(name, event => {
        event.preventDefault();
        document.body.classList.toggle("dropping", name === "dragenter" || name === "dragover");
        if (name !== "drop")
            return;
        const [file] = event.dataTransfer.files;
        file ? take(file) : complain("What was dropped is no file: save the picture first, or copy and paste it.");
    });

/* ---- Camera ---- */

let stream = null;

function stopCamera() {
    if (stream)
        stream.getTracks().forEach(track => track.stop());
    stream = null;
    one("#camera").textContent = "Use the camera";
    one("#camera").setAttribute("aria-pressed", "false");
}

async function startCamera() {
    complain("");
    if (!navigator.mediaDevices)
        return complain("This browser gives no camera to a page that is opened from a file: choose a picture instead.");
    let video;
    try {
        stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
        video = Object.assign(document.createElement("video"), { srcObject: stream, muted: true, playsInline: true });
        await video.play();
    } catch (error) {
        stopCamera();
        return complain({
            NotFoundError: "There is no camera on this computer: choose a picture instead.",
            NotAllowedError: "The browser was not allowed to use the camera: allow it for this page, or choose a picture.",
            NotReadableError: "The camera is in use by another program: close that, or choose a picture.",
        }[error.name] || `The camera cannot be used: ${error.message}`);
    }
    one("#camera").textContent = "Stop the camera";
    one("#camera").setAttribute("aria-pressed", "true");
    const current = stream;
    while (stream === current) {
        if (!document.hidden && video.videoWidth)
            try {
                const seen = await look(pixels(video, video.videoWidth, video.videoHeight));
                if (stream === current)
                    show(seen);
            } catch (error) {
                stopCamera();
                complain(error.message);
            }
        await new Promise(resolve => setTimeout(resolve, 15));
    }
}

one("#camera").addEventListener("click", () => stream ? stopCamera() : startCamera());

/* ---- Pad ---- */

if (content.digits) {
    const pad = new Pad(one("#pad"), picture => {
        complain("");
        look(picture, true).then(show, error => complain(error.message));
    });
    one("#clear").addEventListener("click", () => pad.clear());
}

/* ---- Answers ---- */

const cards = content.networks.map(makeCard);

function make(tag, attributes = {}, ...children) {
    const element = Object.assign(document.createElement(tag), attributes);
    element.append(...children);
    return element;
}

function makeCard(network) {
    const { arena, constants } = network.programs[kernels || "portable"];
    const fact = (name, value) => make("div", {}, make("dt", { textContent: name }), make("dd", { textContent: value }));
    const ms = fact("one picture", "–");
    const input = make("canvas", { width: network.size, height: network.size, className: "input" });
    input.setAttribute("role", "img");
    input.setAttribute("aria-label", `The ${network.size} x ${network.size} pixels that the network sees`);
    const list = make("ol", { className: "answers" });
    const heading = make("h2", {}, network.name, " ",
        make("span", { className: "bits", textContent: `${network.bits.join(" and ")}-bit weights` }));
    const facts = make("dl", {}, ms, fact("memory it works in", `${(arena / KIB).toFixed(1)} KiB`),
        fact("weights and constants", `${(constants / KIB).toFixed(1)} KiB`), make("div", {},
            make("dt", { textContent: `what it sees, ${network.size} x ${network.size}` }), make("dd", {}, input)));
    one("#cards").append(make("section", { className: "card" }, heading, list, facts));
    return { network, list, input, ms: ms.lastChild };
}

function show(seen) {
    etinynet.shown++;
    cards.forEach((card, index) => {
        const { input, logits, detections, ms } = seen[index];
        card.ms.textContent = `${ms.toFixed(1)} ms`;
        paint(card, input);
        if (logits)
            fill(card, probabilities(logits, card.network.scale).slice(0, TOP));
        else {
            const found = detections.filter(each => each.score >= LEAST_SCORE);
            fill(card, found.map(each => ({ index: each.category, share: each.score })));
            frame(found, card.network, index);
        }
    });
}

/* The classes and their shares by softmax, the first of equals first, as the interpreter takes them. */
function probabilities(logits, scale) {
    const top = logits.reduce((a, b) => Math.max(a, b)), powers = logits.map(logit => Math.exp((logit - top) * scale));
    const sum = powers.reduce((a, b) => a + b);
    return powers.map((power, index) => ({ index, share: power / sum }))
        .sort((a, b) => logits[b.index] - logits[a.index] || a.index - b.index);
}

function fill({ network, list }, answers) {
    list.replaceChildren(...answers.map(({ index, share }) => {
        const bar = make("span", { className: "bar" });
        bar.style.width = `${100 * share}%`;
        if (network.detector)
            bar.style.background = COLOURS[index % COLOURS.length];
        return make("li", {}, make("span", { className: "name", textContent: network.labels[index] }),
            make("span", { className: "share", textContent: `${(100 * share).toFixed(1)} %` }),
            make("span", { className: "track" }, bar));
    }));
    if (!answers.length)
        list.replaceChildren(make("li", { className: "none", textContent: "nothing found" }));
}

function paint({ input: target, network: { size } }, input) {
    const image = new ImageData(size, size);
    for (let i = 0, j = 0; i < input.length; i++) {
        image.data[j++] = input[i] ^ 128;
        if (i % 3 === 2)
            image.data[j++] = 255;
    }
    target.getContext("2d").putImageData(image, 0, 0);
}

/* Draw boxes on the picture: solid for the first network, dashed for the second. */
function frame(found, { size, labels }, index) {
    const context = canvas.getContext("2d"), across = canvas.width / size, down = canvas.height / size;
    const unit = Math.max(canvas.width, canvas.height) / 480;
    context.lineWidth = 3 * unit;
    context.setLineDash(index ? [8 * unit, 5 * unit] : []);
    context.font = `${Math.round(16 * unit)}px system-ui, sans-serif`;
    for (const { category, score, box: [left, top, right, bottom] } of [...found].reverse()) {
        const text = `${labels[category]} ${Math.round(100 * score)}`, height = 20 * unit;
        const y = top * down >= height ? top * down - height : top * down;
        context.strokeStyle = context.fillStyle = COLOURS[category % COLOURS.length];
        context.strokeRect(left * across, top * down, (right - left) * across, (bottom - top) * down);
        context.fillRect(left * across, y, context.measureText(text).width + 8 * unit, height);
        context.fillStyle = "#fff";
        context.fillText(text, left * across + 4 * unit, y + 15 * unit);
    }
}

/* For scripts: what each network makes of an encoded picture, or of a digit's 64 counts from 0 to 16; how many answers
 * were shown. */
window.etinynet = { kernels, classify, counts: counts => look(digitPicture(counts), true), shown: 0 };
