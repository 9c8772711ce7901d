/* A pad on which a digit is drawn, by pointer or by keys, and scikit-learn's 8 x 8 picture of it. */
"use strict";

class Pad {
    /* `changed` is called with the picture when a stroke ends. */
    constructor(canvas, changed) {
        this.canvas = canvas;
        this.changed = changed;
        this.pen = { x: 0.5, y: 0.25 };
        this.clear();
        canvas.addEventListener("pointerdown", event => {
            canvas.setPointerCapture(event.pointerId);
            this.down = true;
            this.strokes.push([]);
            this.add(this.place(event));
        });
        canvas.addEventListener("pointermove", event => this.down && this.add(this.place(event)));
        for (const name of ["pointerup", "pointercancel"])
            canvas.addEventListener(name, () => this.lift());
        canvas.addEventListener("keydown", event => this.key(event));
        canvas.addEventListener("blur", () => this.lift());
        canvas.addEventListener("focus", () => this.draw());
    }

    clear() {
        this.strokes = [];
        this.down = false;
        this.draw();
    }

    place(event) {
        const box = this.canvas.getBoundingClientRect();
        return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
    }

    add(point) {
        this.pen = point;
        this.strokes[this.strokes.length - 1].push(point);
        this.draw();
    }

    lift() {
        if (this.down && this.strokes.length)
            this.changed(this.picture());
        this.down = false;
        this.draw();
    }

    /* The arrows move the pen; space sets it down or lifts it. */
    key(event) {
        const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
        if (!step && event.key !== " ")
            return;
        event.preventDefault();
        if (event.key === " " && this.down)
            return this.lift();
        if (event.key === " ") {
            this.down = true;
            this.strokes.push([]);
        }
        const [x, y] = step || [0, 0], inside = value => Math.min(Math.max(value, 0.02), 0.98);
        this.pen = { x: inside(this.pen.x + x * 0.05), y: inside(this.pen.y + y * 0.05) };
        if (this.down)
            this.add(this.pen);
        else
            this.draw();
    }

    draw() {
        const { width, height } = this.canvas, context = this.canvas.getContext("2d");
        context.fillStyle = "#000";
        context.fillRect(0, 0, width, height);
        context.strokeStyle = context.fillStyle = "#fff";
        context.lineWidth = width / 12;
        context.lineCap = context.lineJoin = "round";
        for (const stroke of this.strokes) {
            context.beginPath();
            for (const { x, y } of [stroke[0], ...stroke])
                context.lineTo(x * width, y * height);
            context.stroke();
        }
        if (document.activeElement === this.canvas) {
            context.lineWidth = 2;
            context.strokeStyle = this.down ? "#E69F00" : "#56B4E9";
            context.beginPath();
            context.arc(this.pen.x * width, this.pen.y * height, width / 20, 0, 2 * Math.PI);
            context.stroke();
        }
    }

    /* As the set was made: the digit fills 32 x 32 points, and each 4 x 4 of them are counted. Its strokes are so wide
     * that as many points are inked as in the mean of the set. */
    picture() {
        const MEAN_INK = 312;
        for (let radius = 1.2; ; radius += 0.1) {
            const counts = this.counts(radius);
            if (counts.reduce((a, b) => a + b) >= MEAN_INK)
                return digitPicture(counts);
        }
    }

    counts(radius) {
        const points = this.strokes.flat(), SIDE = 32, CELL = 4;
        const range = key => [Math.min(...points.map(p => p[key])), Math.max(...points.map(p => p[key]))];
        const [[left, right], [top, bottom]] = [range("x"), range("y")];
        const scale = (SIDE - 2 * radius) / Math.max(right - left, bottom - top, 0.1);
        const centred = (value, low, high) => SIDE / 2 + (value - (low + high) / 2) * scale;
        const strokes = this.strokes.map(stroke => stroke.map(({ x, y }) => [centred(x, left, right), centred(y, top, bottom)]));
        const inked = (x, y) => strokes.some(stroke => stroke.some((point, i) =>
            distance(x, y, point, stroke[Math.max(i - 1, 0)]) <= radius));
        const counts = new Array(64).fill(0);
        for (let y = 0; y < SIDE; y++)
            for (let x = 0; x < SIDE; x++)
                if (inked(x + 0.5, y + 0.5))
                    counts[Math.floor(y / CELL) * 8 + Math.floor(x / CELL)]++;
        return counts;
    }
}

function distance(x, y, [ax, ay], [bx, by]) {
    const [dx, dy] = [bx - ax, by - ay], length = dx * dx + dy * dy;
    const part = length ? Math.min(Math.max(((x - ax) * dx + (y - ay) * dy) / length, 0), 1) : 0;
    return Math.hypot(x - ax - part * dx, y - ay - part * dy);
}

/* 64 counts from 0 to 16 as data/datasets.py makes a picture of them, before it is enlarged. */
function digitPicture(counts) {
    const data = new Uint8ClampedArray(64 * 4).fill(255); // the array rounds halves to even, as NumPy does
    counts.forEach((count, i) => data.fill(0, i * 4, i * 4 + 3).set(Array(3).fill(count * (255 / 16)), i * 4));
    return { width: 8, height: 8, data };
}
