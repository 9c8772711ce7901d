/* Beside the page, so that it stays responsive: makes a picture the networks' input and runs them. Behind run.js and
 * resize.js. The first message is { content, kernels }, each further one { number, picture, drawn }. */
"use strict";

let content, kernels, programs;

onmessage = ({ data: message }) => {
    if (message.content) {
        ({ content, kernels } = message);
        programs = content.networks.map(network => new WebAssembly.Module(decoded(network.programs[kernels].wasm)));
        return;
    }
    try {
        postMessage({ number: message.number, seen: content.networks.map((_, index) => look(index, message)) });
    } catch (error) {
        postMessage({ number: message.number, error: `The network could not look at it: ${error.message}` });
    }
};

function decoded(base64) {
    return Uint8Array.from(atob(base64), letter => letter.charCodeAt(0));
}

/* What a network sees of a picture: its input, int8 values by rows, columns and RGB; and what it makes of it, in `ms`. */
function look(index, { picture, drawn }) {
    const network = content.networks[index], begin = performance.now();
    const input = inputOf(network, picture, drawn), ready = performance.now();
    const { status, output, complaints } = run(programs[index], ["net", ...network.detector ? [] : ["--logits"]], input);
    if (status !== 0)
        throw new Error(complaints);
    const lines = new TextDecoder().decode(output).trim().split("\n").filter(line => line);
    const found = network.detector ? { detections: lines.map(detection) } : { logits: lines.map(Number) };
    return { input, ...found, prepared: ready - begin, ms: performance.now() - ready };
}

function inputOf(network, picture, drawn) {
    const { size } = network;
    const square = drawn ? resizeLinear(picture, size, size) : network.detector ? resizeSquare(picture, size)
        : centreCrop(picture, size, content.cropRatio, content.mostPixels);
    return square.data.map(value => value ^ 128); // pixel - 128 as a byte
}

/* class 3 score 0.91234 box 1.0000 2.0000 3.0000 4.0000 and its name, in pixels of the input */
function detection(line) {
    const words = line.split(" ");
    return { category: Number(words[1]), score: Number(words[3]), box: words.slice(5, 9).map(Number) };
}
