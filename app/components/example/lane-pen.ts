/**
 * Draws pictures as lanes: each row of pixels is one line that grows thicker where the picture is brighter, as engravers did
 * it. The same pen draws a record, its ciphertext and its answer, so that they can be compared.
 */

export interface Pen {
  readonly context: CanvasRenderingContext2D;
  readonly color: (name: string) => string;
  /** CSS pixels. */
  readonly width: number;
  readonly height: number;
}

/** Sizes the canvas to its box and the screen's pixels, and clears it. */
export function openPen(canvas: HTMLCanvasElement): Pen | null {
  const context = canvas.getContext("2d");
  const { clientWidth: width, clientHeight: height } = canvas;
  if (!context || width === 0 || height === 0) return null;
  const density = Math.min(2, window.devicePixelRatio || 1);
  const [deviceWidth, deviceHeight] = [Math.round(width * density), Math.round(height * density)];
  if (canvas.width !== deviceWidth || canvas.height !== deviceHeight) {
    canvas.width = deviceWidth;
    canvas.height = deviceHeight;
  }
  context.setTransform(density, 0, 0, density, 0, 0);
  context.clearRect(0, 0, width, height);
  const style = getComputedStyle(canvas);
  return { context, width, height, color: (name) => style.getPropertyValue(name).trim() };
}

export interface Stretch {
  readonly from: number;
  readonly to: number;
  /** Thickness at a place of the line, 0 … 1 of the distance between lines. */
  readonly thickness: (x: number) => number;
}

/** One line as a filled band around its middle. */
export function drawLane(
  { context }: Pen,
  y: number,
  pitch: number,
  { from, to, thickness }: Stretch,
  color: string,
  step = 1.5,
) {
  if (to <= from) return;
  const half = (x: number) => Math.max(0.35, (thickness(x) * pitch) / 2);
  context.beginPath();
  context.moveTo(from, y - half(from));
  for (let x = from; x < to; x += step) context.lineTo(x, y - half(x));
  context.lineTo(to, y - half(to));
  context.lineTo(to, y + half(to));
  for (let x = to; x > from; x -= step) context.lineTo(x, y + half(x));
  context.closePath();
  context.fillStyle = color;
  context.fill();
}

/** A row of bytes as a function of 0 … 1, smooth between the pixels. */
export function rowOf(bytes: Uint8Array, side: number, row: number): (share: number) => number {
  return (share) => {
    const at = Math.min(side - 1, Math.max(0, share * side - 0.5));
    const left = Math.floor(at);
    const right = Math.min(side - 1, left + 1);
    const mix = at - left;
    return ((bytes[row * side + left] ?? 0) * (1 - mix) + (bytes[row * side + right] ?? 0) * mix) / 255;
  };
}

/** 0 before `from`, 1 after `to`, smooth between. */
export function ramp(x: number, from: number, to: number): number {
  const share = Math.min(1, Math.max(0, (x - from) / (to - from)));
  return share * share * (3 - 2 * share);
}
