/* Runs the demo as WebAssembly, in a browser or in node: node run.js PROGRAM.wasm [FLAGS] < image.raw */
"use strict";

/* `program`: a WebAssembly.Module; `words`: of the command line; `input`: bytes of the image. The result has the exit
 * status, the bytes of the output, and what was said of errors. */
function run(program, words, input) {
    const output = [], complaints = [];
    let memory, position = 0;
    const bytes = (at, count) => new Uint8Array(memory.buffer, at, count);
    const port = {
        read(to, count) {
            const part = input.subarray(position, position + count);
            bytes(to, part.length).set(part);
            position += part.length;
            return part.length;
        },
        write: (from, count) => { output.push(bytes(from, count).slice()); },
        complain: (from, count) => { complaints.push(new TextDecoder().decode(bytes(from, count))); },
        words(to, room) {
            const text = new TextEncoder().encode(words.join(" ") + "\0");
            if (text.length > room)
                throw new Error("the command line is too long");
            bytes(to, text.length).set(text);
        },
    };
    const instance = new WebAssembly.Instance(program, { port });
    memory = instance.exports.memory;
    const status = instance.exports.start();
    return { status, output: joined(output), complaints: complaints.join("") };
}

function joined(parts) {
    const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let position = 0;
    for (const part of parts) {
        whole.set(part, position);
        position += part.length;
    }
    return whole;
}

if (typeof module !== "undefined") {
    module.exports = { run };
    if (require.main === module) {
        const fs = require("fs"), [path, ...flags] = process.argv.slice(2);
        const program = new WebAssembly.Module(fs.readFileSync(path));
        const { status, output, complaints } = run(program, [path, ...flags], new Uint8Array(fs.readFileSync(0)));
        fs.writeFileSync(1, output);
        fs.writeFileSync(2, complaints);
        process.exitCode = status;
    }
}
