/**
 * What only the page can see of this moment: whether it is in view, the battery, the link, pressure on the machine, how late
 * its own main thread answers, whether a person is at the device, and the time of their day. Whatever the browser does not tell is null, and null never holds anything back.
 */
import type { PageSignals } from "../messages.ts";

export interface SignalWatch {
  current(): PageSignals;
  /** The visitor has just allowed the browser to tell whether they are here. */
  lookForPerson(): void;
  stop(): void;
}

interface BatteryManager extends EventTarget {
  readonly charging: boolean;
}
interface NetworkInformation extends EventTarget {
  readonly saveData?: boolean;
  readonly type?: string;
}
interface PressureRecord {
  readonly state: "nominal" | "fair" | "serious" | "critical";
}
interface PressureObserver {
  observe(source: "cpu", options: { sampleInterval: number }): Promise<void>;
  disconnect(): void;
}
interface IdleDetector extends EventTarget {
  readonly userState: "active" | "idle" | null;
  readonly screenState: "locked" | "unlocked" | null;
  start(options: { threshold: number; signal: AbortSignal }): Promise<void>;
}
type SignalNavigator = Navigator & { getBattery?(): Promise<BatteryManager>; connection?: NetworkInformation };
type SignalWindow = Window & {
  PressureObserver?: new (onChange: (records: PressureRecord[]) => void) => PressureObserver;
  IdleDetector?: { new (): IdleDetector; requestPermission(): Promise<PermissionState> };
};

/** Before a browser has told anything. */
export const NOTHING_SEEN: PageSignals = {
  visible: true,
  onBattery: null,
  meteredLink: null,
  pressure: null,
  mainThreadLagMs: 0,
  personAway: null,
  minuteOfDay: 0,
};

/** The least that the Idle Detection API allows. */
const AWAY_AFTER_MS = 60_000;
const CLOCK_EVERY_MS = 15_000;
const PRESSURE_EVERY_MS = 2_000;
/** Lag is how much later than asked this timer fires: the largest of some beats, so that one hiccup is seen and then gone. */
const BEAT_MS = 500;
const BEATS_KEPT = 6;

/** @param element visible means: this is in view too */
export function watchSignals(
  window: SignalWindow,
  onChange: (signals: PageSignals) => void,
  element?: Element,
): SignalWatch {
  const { document } = window;
  const navigator: SignalNavigator = window.navigator;
  const stopping = new AbortController();
  const { signal } = stopping;
  let signals: PageSignals = {
    ...NOTHING_SEEN,
    visible: document.visibilityState === "visible",
    meteredLink: isMetered(navigator.connection),
    minuteOfDay: minuteOfDay(new Date()),
  };

  function update(change: Partial<PageSignals>): void {
    const next = { ...signals, ...change };
    if (isSame(next, signals)) return;
    signals = next;
    if (!signal.aborted) onChange(signals);
  }

  let inView = true;
  const look = (): void => update({ visible: inView && document.visibilityState === "visible" });
  document.addEventListener("visibilitychange", look, { signal });
  watchView(element, signal, (now) => {
    inView = now;
    look();
  });
  navigator.connection?.addEventListener("change", () => update({ meteredLink: isMetered(navigator.connection) }), {
    signal,
  });
  navigator
    .getBattery?.()
    .then((battery) => {
      const read = (): void => update({ onBattery: !battery.charging });
      battery.addEventListener("chargingchange", read, { signal });
      read();
    })
    .catch(() => {});
  watchPressure(window, signal, (pressure) => update({ pressure }));
  watchLag(window, signal, (mainThreadLagMs) => update({ mainThreadLagMs }));

  watchClock(window, signal, (minute) => update({ minuteOfDay: minute }));
  const lookForPerson = (): void => watchPerson(window, signal, (personAway) => update({ personAway }));
  lookForPerson();

  return { current: () => signals, lookForPerson, stop: () => stopping.abort() };
}

export function canTellIdle(window: SignalWindow): boolean {
  return window.IdleDetector !== undefined;
}

/** Only from a person's click: the browser asks them. False where it or they refuse. */
export async function askToTellIdle(window: SignalWindow): Promise<boolean> {
  const answer = await window.IdleDetector?.requestPermission().catch(() => "denied");
  return answer === "granted";
}

/** Without the visitor's permission the browser refuses to start, and nothing is known. */
function watchPerson(window: SignalWindow, signal: AbortSignal, onAway: (away: boolean) => void): void {
  if (!window.IdleDetector) return;
  const detector = new window.IdleDetector();
  detector.addEventListener(
    "change",
    () => onAway(detector.userState === "idle" || detector.screenState === "locked"),
    { signal },
  );
  detector.start({ threshold: AWAY_AFTER_MS, signal }).catch(() => {});
}

function watchClock(window: Window, signal: AbortSignal, onMinute: (minute: number) => void): void {
  const timer = window.setInterval(() => onMinute(minuteOfDay(new Date())), CLOCK_EVERY_MS);
  signal.addEventListener("abort", () => window.clearInterval(timer));
}

const minuteOfDay = (date: Date): number => 60 * date.getHours() + date.getMinutes();

/** In a frame this sees scrolling of the page around it as well. */
function watchView(element: Element | undefined, signal: AbortSignal, onView: (inView: boolean) => void): void {
  if (!element) return;
  const observer = new IntersectionObserver((entries) => onView(entries.at(-1)?.isIntersecting ?? true));
  observer.observe(element);
  signal.addEventListener("abort", () => observer.disconnect());
}

function watchPressure(
  window: SignalWindow,
  signal: AbortSignal,
  onState: (state: PressureRecord["state"]) => void,
): void {
  if (!window.PressureObserver) return;
  const observer = new window.PressureObserver((records) => {
    const last = records.at(-1);
    if (last) onState(last.state);
  });
  observer.observe("cpu", { sampleInterval: PRESSURE_EVERY_MS }).catch(() => {});
  signal.addEventListener("abort", () => observer.disconnect());
}

/** Hidden pages get slow timers from the browser; that is not lag, so only visible beats count. */
function watchLag(window: Window, signal: AbortSignal, onLag: (ms: number) => void): void {
  const beats: number[] = [];
  let dueMs = performance.now() + BEAT_MS;
  const timer = window.setInterval(() => {
    const nowMs = performance.now();
    const visible = window.document.visibilityState === "visible";
    beats.push(visible ? Math.max(0, nowMs - dueMs) : 0);
    if (beats.length > BEATS_KEPT) beats.shift();
    dueMs = nowMs + BEAT_MS;
    // Steps of 50 ms: finer changes are noise that nobody acts on.
    onLag(Math.round(Math.max(...beats) / 50) * 50);
  }, BEAT_MS);
  signal.addEventListener("abort", () => window.clearInterval(timer));
}

function isMetered(connection: NetworkInformation | undefined): boolean | null {
  if (!connection) return null;
  return connection.saveData === true || connection.type === "cellular";
}

function isSame(one: PageSignals, other: PageSignals): boolean {
  return (Object.keys(one) as (keyof PageSignals)[]).every((key) => one[key] === other[key]);
}
