/**
 * Synthetic handwritten digits: the demo's and the tests' own data, made from a seed in any amount.
 *
 * A digit is a few strokes (polylines and arcs in a unit box). Each image draws one of its forms under a random affine map
 * (turn, shear, scale, shift) and a gentle wave, with a random pen width and pressure, then blurs by the pen's soft edge
 * and adds noise. 28×28, ink bright on dark paper, like MNIST; nothing is taken from it.
 */
import { type Random, seededRandom } from "./random.ts";

export const DIGIT_SIDE = 28;
const PIXELS = DIGIT_SIDE * DIGIT_SIDE;

export interface DigitImages {
  /** `[count, 28, 28]`, 0 paper … 255 ink. */
  readonly images: Uint8Array;
  /** `[count]`, 0…9. */
  readonly labels: Uint8Array;
}

/** The same seed gives the same images; labels are drawn evenly at random. */
export function syntheticDigits(count: number, seed: number): DigitImages {
  const random = seededRandom(seed);
  const images = new Uint8Array(count * PIXELS);
  const labels = new Uint8Array(count);
  for (let index = 0; index < count; index++) {
    const digit = random.below(10);
    labels[index] = digit;
    drawDigit(digit, random, images.subarray(index * PIXELS, (index + 1) * PIXELS));
  }
  return { images, labels };
}

// ---------------------------------------------------------------- glyphs

type Point = readonly [x: number, y: number];
type Stroke = readonly Point[];

/** Points on an ellipse from angle to angle in quarter turns; 0 is right, 1 is down. */
function arc(cx: number, cy: number, rx: number, ry: number, from: number, to: number): Stroke {
  const steps = Math.max(3, Math.ceil(Math.abs(to - from) * 5));
  return Array.from({ length: steps + 1 }, (_, i) => {
    const angle = ((from + ((to - from) * i) / steps) * Math.PI) / 2;
    return [cx + rx * Math.cos(angle), cy + ry * Math.sin(angle)] as const;
  });
}

/** The forms people write, in a box of x, y in 0…1 (y down). */
const GLYPHS: readonly (readonly (readonly Stroke[])[])[] = [
  [[arc(0.5, 0.5, 0.34, 0.46, -1, 3)], [arc(0.5, 0.5, 0.26, 0.46, -1.2, 2.9)]],
  [
    [
      [
        [0.5, 0.04],
        [0.5, 0.96],
      ],
    ],
    [
      [
        [0.3, 0.24],
        [0.52, 0.04],
        [0.52, 0.96],
      ],
    ],
  ],
  [
    [[...arc(0.48, 0.3, 0.3, 0.26, -2, 0.35), [0.16, 0.94], [0.84, 0.94]]],
    [[...arc(0.48, 0.28, 0.3, 0.24, -1.9, 0.6), ...arc(0.3, 0.84, 0.14, 0.12, 3.2, -0.4), [0.86, 0.92]]],
  ],
  [
    [arc(0.44, 0.27, 0.3, 0.23, -1.9, 1), arc(0.44, 0.72, 0.34, 0.24, -1, 1.9)],
    [
      [
        [0.2, 0.05],
        [0.76, 0.05],
        [0.44, 0.42],
      ],
      arc(0.44, 0.69, 0.33, 0.27, -1, 1.9),
    ],
  ],
  [
    [
      [
        [0.62, 0.04],
        [0.14, 0.64],
        [0.88, 0.64],
      ],
      [
        [0.66, 0.36],
        [0.66, 0.96],
      ],
    ],
    [
      [
        [0.2, 0.06],
        [0.18, 0.52],
        [0.78, 0.52],
      ],
      [
        [0.76, 0.06],
        [0.72, 0.96],
      ],
    ],
  ],
  [
    [
      [
        [0.8, 0.05],
        [0.28, 0.05],
        [0.24, 0.44],
      ],
      arc(0.44, 0.68, 0.34, 0.27, -1.5, 1.8),
    ],
    [[[0.78, 0.08], [0.3, 0.06], [0.27, 0.42], ...arc(0.45, 0.68, 0.32, 0.26, -1.1, 1.7)]],
  ],
  [
    [
      [
        [0.66, 0.04],
        [0.36, 0.3],
        [0.2, 0.64],
      ],
      arc(0.48, 0.7, 0.29, 0.25, -2, 2),
    ],
    [[...arc(0.62, 0.5, 0.42, 0.45, -1, -2.4)], arc(0.5, 0.72, 0.28, 0.22, 0, 4)],
  ],
  [
    [
      [
        [0.14, 0.07],
        [0.84, 0.07],
        [0.4, 0.96],
      ],
    ],
    [
      [
        [0.14, 0.08],
        [0.82, 0.06],
        [0.44, 0.96],
      ],
      [
        [0.34, 0.5],
        [0.76, 0.48],
      ],
    ],
  ],
  [
    [arc(0.5, 0.27, 0.25, 0.22, 0, 4), arc(0.5, 0.73, 0.31, 0.24, 0, 4)],
    [arc(0.52, 0.26, 0.27, 0.21, 0, 4), arc(0.48, 0.72, 0.26, 0.25, 0, 4)],
  ],
  [
    [
      arc(0.48, 0.3, 0.28, 0.25, 0, 4),
      [
        [0.76, 0.3],
        [0.72, 0.6],
        [0.56, 0.96],
      ],
    ],
    [
      arc(0.5, 0.28, 0.26, 0.23, 0, 4),
      [
        [0.76, 0.26],
        [0.76, 0.96],
      ],
    ],
  ],
];

// ---------------------------------------------------------------- drawing

function drawDigit(digit: number, random: Random, image: Uint8Array): void {
  const forms = GLYPHS[digit]!;
  const place = randomPlacement(random);
  const segments = segmentsOf(forms[random.below(forms.length)]!.map((stroke) => stroke.map(place)));
  const halfWidth = random.between(0.8, 1.7);
  const softness = random.between(0.5, 1);
  const ink = random.between(190, 255);
  const noise = random.between(2, 14);
  for (let pixel = 0; pixel < PIXELS; pixel++) {
    const distance = distanceTo(segments, pixel % DIGIT_SIDE, Math.floor(pixel / DIGIT_SIDE));
    const cover = 1 / (1 + Math.exp((distance - halfWidth) / (softness * 0.35)));
    image[pixel] = Math.max(0, Math.min(255, Math.round(ink * cover + noise * random.normal())));
  }
}

/** Unit box → pixels: an affine map about the middle, with a slow sideways wave as a hand makes it. */
function randomPlacement(random: Random): (point: Point) => Point {
  const turn = 0.13 * random.normal();
  const shear = 0.14 * random.normal() - 0.1;
  const height = random.between(17, 22);
  const width = height * random.between(0.62, 0.95);
  const centre = [13.5 + 1.1 * random.normal(), 13.5 + 1.1 * random.normal()] as const;
  const waves = [0, 1].map(() => ({ size: 0.03 * random.normal(), phase: random.between(0, 2 * Math.PI) }));
  const [cos, sin] = [Math.cos(turn), Math.sin(turn)];
  return ([x, y]) => {
    const u = x - 0.5 + waves[0]!.size * Math.sin(5 * y + waves[0]!.phase);
    const v = y - 0.5 + waves[1]!.size * Math.sin(5 * x + waves[1]!.phase);
    const px = width * (u + shear * v);
    const py = height * v;
    return [centre[0] + cos * px - sin * py, centre[1] + sin * px + cos * py];
  };
}

/** Segments as `[ax, ay, dx, dy, 1/|d|²]`, five numbers each: the drawing loop reads them 784 times. */
function segmentsOf(strokes: readonly Stroke[]): Float64Array {
  const segments: number[] = [];
  for (const stroke of strokes) {
    for (let i = 1; i < stroke.length; i++) {
      const [ax, ay] = stroke[i - 1]!;
      const [dx, dy] = [stroke[i]![0] - ax, stroke[i]![1] - ay];
      segments.push(ax, ay, dx, dy, 1 / (dx * dx + dy * dy + 1e-12));
    }
  }
  return Float64Array.from(segments);
}

function distanceTo(segments: Float64Array, x: number, y: number): number {
  let nearest = Number.POSITIVE_INFINITY;
  for (let s = 0; s < segments.length; s += 5) {
    const px = x - segments[s]!;
    const py = y - segments[s + 1]!;
    const dx = segments[s + 2]!;
    const dy = segments[s + 3]!;
    const along = Math.max(0, Math.min(1, (px * dx + py * dy) * segments[s + 4]!));
    nearest = Math.min(nearest, (px - along * dx) ** 2 + (py - along * dy) ** 2);
  }
  return Math.sqrt(nearest);
}
