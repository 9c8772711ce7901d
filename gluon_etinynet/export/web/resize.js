/* What data/images.py makes of a decoded picture, to the bit: OpenCV's resizing of bytes, and the crop.
 *
 * A picture is { width, height, data }, four bytes a pixel as a canvas gives them; a result has three. OpenCV
 * interpolates linearly with integers, averages with floats of 32 bits (`f`), and rounds halves to even. */
"use strict";

const f = Math.fround;
const COEFFICIENT = 1 << 11;

function rounded(value) {
    const below = Math.floor(value), part = value - below;
    return part > 0.5 || (part === 0.5 && below % 2 !== 0) ? below + 1 : below;
}

const byte = value => Math.min(Math.max(rounded(value), 0), 255);
const within = (index, count) => Math.min(Math.max(index, 0), count - 1);

/* How a classifier sees a picture: the `size` pixels in the centre, when the short side has `size` / `ratio`. Of a strip
 * whose resized picture would have more than `most` pixels, the middle. */
function centreCrop(picture, size, ratio, most) {
    const short = Math.ceil(size / ratio), tooLong = p => sides(p, short).reduce((a, b) => a * b) > most;
    if (tooLong(picture))
        picture = middle(picture);
    const whole = resizeLinear(picture, ...sides(picture, short));
    const top = Math.floor((whole.height - size) / 2), left = Math.floor((whole.width - size) / 2);
    const data = new Uint8Array(size * size * 3);
    for (let row = 0; row < size; row++) {
        const begin = ((top + row) * whole.width + left) * 3;
        data.set(whole.data.subarray(begin, begin + size * 3), row * size * 3);
    }
    return { width: size, height: size, data };
}

function sides({ width, height }, short) {
    return height > width ? [short, Math.trunc(height * short / width)] : [Math.trunc(width * short / height), short];
}

function middle({ width, height, data }) {
    const short = Math.min(width, height);
    const [top, left] = [height, width].map(side => Math.max(0, Math.floor(side / 2) - short));
    const cut = { width: width - 2 * left, height: height - 2 * top };
    cut.data = new Uint8ClampedArray(cut.width * cut.height * 4);
    for (let row = 0; row < cut.height; row++) {
        const begin = ((top + row) * width + left) * 4;
        cut.data.set(data.subarray(begin, begin + cut.width * 4), row * cut.width * 4);
    }
    return cut;
}

/* How a detector sees a picture: all of it, not in proportion. */
function resizeSquare(picture, size) {
    return (Math.max(picture.width, picture.height) > size ? resizeArea : resizeCubic)(picture, size, size);
}

/* ---- OpenCV's three ways ---- */

function resizeLinear(picture, width, height) {
    if (picture.width === width && picture.height === height)
        return withoutAlpha(picture);
    if (scaleOf(picture.width, width) === 2 && scaleOf(picture.height, height) === 2)
        return resizeArea(picture, width, height);
    return interpolate(picture, width, height, linearTaps, mixIntegers);
}

function resizeCubic(picture, width, height) {
    if (picture.width === width && picture.height === height)
        return withoutAlpha(picture);
    return interpolate(picture, width, height, cubicTaps, mixExactly);
}

function resizeArea(picture, width, height) {
    const across = scaleOf(picture.width, width), down = scaleOf(picture.height, height);
    if (across < 1 || down < 1)
        return interpolate(picture, width, height, areaTaps, mixIntegers);
    return [across, down].every(isWhole) ? averageWhole(picture, width, height, rounded(across), rounded(down))
        : averageParts(picture, width, height, across, down);
}

const scaleOf = (from, to) => 1 / (to / from);
const isWhole = scale => Math.abs(scale - rounded(scale)) < Number.EPSILON;

function withoutAlpha({ width, height, data }) {
    const result = new Uint8Array(width * height * 3);
    for (let i = 0, j = 0; j < result.length; i += 4) {
        result[j++] = data[i];
        result[j++] = data[i + 1];
        result[j++] = data[i + 2];
    }
    return { width, height, data: result };
}

/* ---- Interpolation: for each place of the result, the first of two or four places and their weights ---- */

function linearTaps(place, from, to, atColumns) {
    const exact = f((place + 0.5) * scaleOf(from, to) - 0.5), first = Math.floor(exact);
    const outside = atColumns && (first < 0 || first >= from - 1);
    return outside ? inIntegers(within(first, from), 0) : inIntegers(first, f(exact - first));
}

function areaTaps(place, from, to, atColumns) {
    const first = Math.floor(place * scaleOf(from, to)), part = f(place + 1 - (first + 1) * (to / from));
    const outside = atColumns && first >= from - 1;
    return outside ? inIntegers(from - 1, 0) : inIntegers(first, part <= 0 ? 0 : f(part - Math.floor(part)));
}

function inIntegers(first, part) {
    return { first, weights: [f(1 - part), part].map(weight => rounded(weight * COEFFICIENT)) };
}

function cubicTaps(place, from, to) {
    const exact = (place + 0.5) * from / to - 0.5, first = Math.floor(exact), x = exact - first, A = -0.75;
    const outer = ((A * (x + 1) - 5 * A) * (x + 1) + 8 * A) * (x + 1) - 4 * A;
    const inner = y => ((A + 2) * y - (A + 3)) * y * y + 1;
    return { first: first - 1, weights: [outer, inner(x), inner(1 - x), 1 - outer - inner(x) - inner(1 - x)] };
}

function interpolate(picture, width, height, tapsOf, mix) {
    const taps = (from, to, atColumns) => Array.from({ length: to }, (_, place) => tapsOf(place, from, to, atColumns));
    const columns = taps(picture.width, width, true), lines = new Map(), data = new Uint8Array(width * height * 3);
    const line = row => {
        if (!lines.has(row))
            lines.set(row, resizedLine(picture, row, columns));
        return lines.get(row);
    };
    taps(picture.height, height, false).forEach(({ first, weights }, place) => {
        const needed = weights.map((_, k) => within(first + k, picture.height));
        for (const row of lines.keys())
            if (!needed.includes(row))
                lines.delete(row);
        mix(data.subarray(place * width * 3, (place + 1) * width * 3), needed.map(line), weights);
    });
    return { width, height, data };
}

function resizedLine({ width, data }, row, columns) {
    const result = new Float64Array(columns.length * 3), begin = row * width;
    columns.forEach(({ first, weights }, place) => {
        for (let channel = 0; channel < 3; channel++) {
            let sum = 0;
            for (let k = 0; k < weights.length; k++)
                sum += data[(begin + within(first + k, width)) * 4 + channel] * weights[k];
            result[place * 3 + channel] = sum;
        }
    });
    return result;
}

function mixIntegers(result, [a, b], [ofA, ofB]) {
    for (let i = 0; i < result.length; i++)
        result[i] = ((ofA * (a[i] >> 4) >> 16) + (ofB * (b[i] >> 4) >> 16) + 2) >> 2;
}

/* As Intel's library, which OpenCV takes here on x86: no weight is rounded. It rounds some halves the other way. */
function mixExactly(result, lines, weights) {
    for (let i = 0; i < result.length; i++)
        result[i] = byte(weights.reduce((sum, weight, k) => sum + weight * lines[k][i], 0));
}

/* ---- Averages over the area of a pixel of the result ---- */

function averageWhole(picture, width, height, across, down) {
    const data = new Uint8Array(width * height * 3), share = f(1 / f(across * down));
    for (let row = 0, at = 0; row < height; row++)
        for (let column = 0; column < width; column++)
            for (let channel = 0; channel < 3; channel++, at++) {
                let sum = 0;
                for (let y = row * down; y < (row + 1) * down; y++)
                    for (let x = column * across; x < (column + 1) * across; x++)
                        sum += picture.data[(y * picture.width + x) * 4 + channel];
                data[at] = across === 2 && down === 2 ? sum + 2 >> 2 : byte(f(f(sum) * share));
            }
    return { width, height, data };
}

function averageParts(picture, width, height, across, down) {
    const columns = areaShares(picture.width, width, across), data = new Uint8Array(width * height * 3);
    const line = new Float32Array(width * 3), sums = new Float32Array(width * 3);
    let current = 0;
    const finish = row => data.set(Array.from(sums, byte), row * width * 3);
    for (const { to, from, share } of areaShares(picture.height, height, down)) {
        line.fill(0);
        for (const column of columns) {
            let source = (from * picture.width + column.from) * 4;
            for (let i = column.to * 3; i < column.to * 3 + 3; i++)
                line[i] = line[i] + f(picture.data[source++] * column.share);
        }
        if (to !== current) {
            finish(current);
            sums.fill(0);
            current = to;
        }
        for (let i = 0; i < sums.length; i++)
            sums[i] = sums[i] + f(share * line[i]);
    }
    finish(current);
    return { width, height, data };
}

/* Which places of the picture a place of the result is made of, and the share of each. */
function areaShares(from, to, scale) {
    const shares = [], SLIGHT = 1e-3;
    for (let place = 0; place < to; place++) {
        const begin = place * scale, end = begin + scale, size = Math.min(scale, from - begin);
        const last = Math.min(Math.floor(end), from - 1), first = Math.min(Math.ceil(begin), last);
        if (first - begin > SLIGHT)
            shares.push({ to: place, from: first - 1, share: f((first - begin) / size) });
        for (let source = first; source < last; source++)
            shares.push({ to: place, from: source, share: f(1 / size) });
        if (end - last > SLIGHT)
            shares.push({ to: place, from: last, share: f(Math.min(end - last, 1, size) / size) });
    }
    return shares;
}

if (typeof module !== "undefined")
    module.exports = { centreCrop, resizeSquare, resizeLinear };
