/** The picture that a donor may share: their count and this page's address, in the page's own colours. */

const WIDTH = 1_200;
const HEIGHT = 630;
const MARGIN = 80;
const LANES = 14;
/** Where the lanes begin and the words end. */
const LANES_LEFT = 880;

export interface ShareFacts {
  readonly microtasks: string;
  readonly address: string;
}

/** @throws Error where the browser draws no pictures */
export async function sharePicture({ microtasks, address }: ShareFacts): Promise<File> {
  const canvas = document.createElement("canvas");
  canvas.width = WIDTH;
  canvas.height = HEIGHT;
  const context = canvas.getContext("2d");
  if (!context) throw new Error("This browser draws no pictures.");
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const family = getComputedStyle(document.body).fontFamily;
  const write = (text: string, y: number, font: string, name: string): void => {
    context.font = `${font} ${family}`;
    context.fillStyle = colour(name);
    context.fillText(text, MARGIN, y, LANES_LEFT - 1.5 * MARGIN);
  };

  context.fillStyle = colour("--paper");
  context.fillRect(0, 0, WIDTH, HEIGHT);
  drawLanes(context, colour("--line"), colour("--good"));
  write(microtasks, 280, "680 190px", "--ink");
  write(microtasks === "1" ? "microtask verified" : "microtasks verified", 352, "400 52px", "--ink");
  write("computed for machine learning by my browser", 410, "400 38px", "--ink-2");
  write(address, HEIGHT - MARGIN, "560 36px", "--accent");

  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/png"));
  if (!blob) throw new Error("This browser could not make the picture.");
  return new File([blob], "flux-microtasks.png", { type: blob.type });
}

/** As the page draws its own work: lines that are full or still empty. */
function drawLanes(context: CanvasRenderingContext2D, empty: string, full: string): void {
  const width = WIDTH - MARGIN - LANES_LEFT;
  for (let lane = 0; lane < LANES; lane++) {
    const y = MARGIN + (lane * (HEIGHT - 2 * MARGIN)) / (LANES - 1);
    context.fillStyle = empty;
    context.fillRect(LANES_LEFT, y - 1, width, 2);
    context.fillStyle = full;
    context.fillRect(LANES_LEFT, y - 4, width * (((lane * 5 + 9) % LANES) / LANES), 8);
  }
}
