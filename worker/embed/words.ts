/** What the embed says, in five languages. `en` is the measure: a key that another language lacks is a type error. */
import type { EmbedRefusal, Language } from "#lib/protocol/embed.ts";
import type { PauseReason } from "../messages.ts";
import type { ConsentProblem } from "./consent.ts";

export interface Words {
  start: string;
  pause: string;
  resume: string;
  stop: string;
  /** Finish what computes now, then stop. */
  finish: string;
  /** Name of the frame's region. */
  region: string;
  /** Link to what this is and how to block it. */
  about: string;
  title: string;
  /** @param percent most of the device that is used */
  offer: (percent: number) => string;
  /** The same where there is little room. */
  offerShort: (percent: number) => string;
  starting: string;
  measuring: string;
  encrypted: string;
  public: string;
  waiting: string;
  offline: string;
  finishing: string;
  stopping: string;
  verified: (microtasks: string) => string;
  power: string;
  paused: Record<PauseReason, string>;
  refused: Record<EmbedRefusal, string>;
  consent: Record<ConsentProblem, string>;
  confirm: {
    title: string;
    /** @param site the partner's name for its site */
    text: (site: string) => string;
    yes: string;
    no: string;
    unknown: string;
    blocked: string;
  };
}

const en: Words = {
  start: "Start donating",
  pause: "Pause",
  resume: "Resume",
  stop: "Stop",
  finish: "Finish this one, then stop",
  region: "Flux: donate computing",
  about: "What is this?",
  title: "Lend this browser to machine learning",
  offer: (percent) => `At most ${percent} % of this device, only while this is in view. Nothing runs before you start.`,
  offerShort: (percent) => `Up to ${percent} % of this device, while in view.`,
  starting: "Connecting …",
  measuring: "Measuring this browser …",
  encrypted: "Computing on encrypted data that this browser cannot read.",
  public: "Computing on public data.",
  waiting: "Waiting for work.",
  offline: "The connection broke. Trying again …",
  finishing: "Finishing this microtask, then stopping.",
  stopping: "Stopping …",
  verified: (microtasks) => `${microtasks} verified`,
  power: "Power",
  paused: {
    visitor: "Paused by you.",
    battery: "Paused: on battery.",
    metered: "Paused: metered connection.",
    hidden: "Paused: not in view.",
    "in-use": "Paused: this device is in use.",
    hours: "Paused: outside the chosen hours.",
    left: "Paused: this page was left.",
  },
  refused: {
    "unknown-key": "This site's key is not valid, so nothing can start here.",
    "foreign-origin": "This page may not use this key, so nothing can start here.",
    "no-referrer": "This browser hides which page this is, so nothing can start here.",
  },
  consent: {
    untrusted: "Only a person's own click starts this.",
    covered: "Something covers or changes this button. It starts only when all of it is in plain view.",
    "too-soon": "Please look at this for a second, then press again.",
    moved: "This moved under your pointer. Please press again.",
    "too-small": "This is shown too small to start here.",
    elsewhere: "Please confirm in the window that has opened.",
  },
  confirm: {
    title: "Lend this browser?",
    text: (site) =>
      `“${site}” asks whether this browser may compute small pieces of machine-learning jobs while its page is in view. You can stop at any time.`,
    yes: "Start donating",
    no: "No",
    unknown: "The site that asked is not known here. Close this window.",
    blocked: "Your browser did not open the window that asks you. Allow it, or donate on our own page.",
  },
};

const de: Words = {
  start: "Rechenzeit spenden",
  pause: "Pause",
  resume: "Weiter",
  stop: "Stopp",
  finish: "Diese noch, dann Stopp",
  region: "Flux: Rechenzeit spenden",
  about: "Was ist das?",
  title: "Leih diesen Browser dem maschinellen Lernen",
  offer: (percent) =>
    `Höchstens ${percent} % dieses Geräts, nur solange dies zu sehen ist. Vor dem Start läuft nichts.`,
  offerShort: (percent) => `Bis ${percent} % dieses Geräts, solange sichtbar.`,
  starting: "Verbinde …",
  measuring: "Messe diesen Browser …",
  encrypted: "Rechnet auf verschlüsselten Daten, die dieser Browser nicht lesen kann.",
  public: "Rechnet auf öffentlichen Daten.",
  waiting: "Wartet auf Arbeit.",
  offline: "Verbindung unterbrochen. Neuer Versuch …",
  finishing: "Rechnet diese Aufgabe zu Ende und hört dann auf.",
  stopping: "Hört auf …",
  verified: (microtasks) => `${microtasks} geprüft`,
  power: "Leistung",
  paused: {
    visitor: "Von dir angehalten.",
    battery: "Pause: Akkubetrieb.",
    metered: "Pause: getaktete Verbindung.",
    hidden: "Pause: nicht zu sehen.",
    "in-use": "Pause: Gerät wird benutzt.",
    hours: "Pause: außerhalb der gewählten Zeit.",
    left: "Pause: Seite verlassen.",
  },
  refused: {
    "unknown-key": "Der Schlüssel dieser Seite gilt nicht, darum startet hier nichts.",
    "foreign-origin": "Diese Seite darf diesen Schlüssel nicht nutzen, darum startet hier nichts.",
    "no-referrer": "Dieser Browser verbirgt, welche Seite das ist, darum startet hier nichts.",
  },
  consent: {
    untrusted: "Nur ein eigener Klick startet das.",
    covered: "Etwas verdeckt oder verändert diesen Knopf. Er wirkt nur, wenn er ganz zu sehen ist.",
    "too-soon": "Bitte kurz ansehen und dann noch einmal drücken.",
    moved: "Das hat sich unter dem Zeiger bewegt. Bitte noch einmal drücken.",
    "too-small": "Zu klein dargestellt, um hier zu starten.",
    elsewhere: "Bitte im neuen Fenster bestätigen.",
  },
  confirm: {
    title: "Diesen Browser leihen?",
    text: (site) =>
      `„${site}“ fragt, ob dieser Browser kleine Teile von Aufgaben des maschinellen Lernens rechnen darf, solange die Seite zu sehen ist. Du kannst jederzeit aufhören.`,
    yes: "Rechenzeit spenden",
    no: "Nein",
    unknown: "Die fragende Seite ist hier nicht bekannt. Schließe dieses Fenster.",
    blocked: "Der Browser hat das Fenster nicht geöffnet, das dich fragt. Erlaube es, oder spende auf unserer Seite.",
  },
};

const fr: Words = {
  start: "Donner du calcul",
  pause: "Pause",
  resume: "Reprendre",
  stop: "Arrêter",
  finish: "Finir celle-ci, puis arrêter",
  region: "Flux : donner du calcul",
  about: "Qu’est-ce que c’est ?",
  title: "Prêtez ce navigateur à l’apprentissage automatique",
  offer: (percent) =>
    `Au plus ${percent} % de cet appareil, seulement tant que ceci est visible. Rien ne tourne avant votre accord.`,
  offerShort: (percent) => `Jusqu’à ${percent} % de cet appareil, tant que visible.`,
  starting: "Connexion …",
  measuring: "Mesure de ce navigateur …",
  encrypted: "Calcule sur des données chiffrées que ce navigateur ne peut pas lire.",
  public: "Calcule sur des données publiques.",
  waiting: "En attente de travail.",
  offline: "Connexion perdue. Nouvel essai …",
  finishing: "Termine cette microtâche, puis s’arrête.",
  stopping: "Arrêt …",
  verified: (microtasks) => `${microtasks} vérifiées`,
  power: "Puissance",
  paused: {
    visitor: "En pause, par vous.",
    battery: "En pause : sur batterie.",
    metered: "En pause : connexion limitée.",
    hidden: "En pause : hors de vue.",
    "in-use": "En pause : appareil utilisé.",
    hours: "En pause : hors des heures choisies.",
    left: "En pause : page quittée.",
  },
  refused: {
    "unknown-key": "La clé de ce site n’est pas valable : rien ne peut démarrer ici.",
    "foreign-origin": "Cette page ne peut pas utiliser cette clé : rien ne peut démarrer ici.",
    "no-referrer": "Ce navigateur cache de quelle page il s’agit : rien ne peut démarrer ici.",
  },
  consent: {
    untrusted: "Seul votre propre clic démarre ceci.",
    covered: "Quelque chose couvre ou modifie ce bouton. Il doit être entièrement visible.",
    "too-soon": "Regardez ceci une seconde, puis appuyez de nouveau.",
    moved: "Ceci a bougé sous votre pointeur. Appuyez de nouveau.",
    "too-small": "Affiché trop petit pour démarrer ici.",
    elsewhere: "Confirmez dans la fenêtre qui s’est ouverte.",
  },
  confirm: {
    title: "Prêter ce navigateur ?",
    text: (site) =>
      `« ${site} » demande si ce navigateur peut calculer de petites parties de tâches d’apprentissage automatique tant que sa page est visible. Vous pouvez arrêter à tout moment.`,
    yes: "Donner du calcul",
    no: "Non",
    unknown: "Le site qui demande est inconnu ici. Fermez cette fenêtre.",
    blocked: "Le navigateur n’a pas ouvert la fenêtre de confirmation. Autorisez-la, ou donnez sur notre page.",
  },
};

const es: Words = {
  start: "Donar cómputo",
  pause: "Pausa",
  resume: "Seguir",
  stop: "Parar",
  finish: "Terminar esta y parar",
  region: "Flux: donar cómputo",
  about: "¿Qué es esto?",
  title: "Presta este navegador al aprendizaje automático",
  offer: (percent) =>
    `Como mucho el ${percent} % de este dispositivo, solo mientras esto esté a la vista. Nada se ejecuta antes.`,
  offerShort: (percent) => `Hasta el ${percent} % del dispositivo, si está a la vista.`,
  starting: "Conectando …",
  measuring: "Midiendo este navegador …",
  encrypted: "Calcula con datos cifrados que este navegador no puede leer.",
  public: "Calcula con datos públicos.",
  waiting: "Esperando trabajo.",
  offline: "Se cortó la conexión. Nuevo intento …",
  finishing: "Termina esta microtarea y luego para.",
  stopping: "Parando …",
  verified: (microtasks) => `${microtasks} verificadas`,
  power: "Potencia",
  paused: {
    visitor: "En pausa, por ti.",
    battery: "En pausa: con batería.",
    metered: "En pausa: conexión medida.",
    hidden: "En pausa: fuera de la vista.",
    "in-use": "En pausa: dispositivo en uso.",
    hours: "En pausa: fuera del horario elegido.",
    left: "En pausa: página abandonada.",
  },
  refused: {
    "unknown-key": "La clave de este sitio no vale, así que aquí no empieza nada.",
    "foreign-origin": "Esta página no puede usar esta clave, así que aquí no empieza nada.",
    "no-referrer": "Este navegador oculta qué página es esta, así que aquí no empieza nada.",
  },
  consent: {
    untrusted: "Solo tu propio clic inicia esto.",
    covered: "Algo tapa o cambia este botón. Solo funciona si se ve entero.",
    "too-soon": "Míralo un segundo y pulsa otra vez.",
    moved: "Esto se movió bajo tu puntero. Pulsa otra vez.",
    "too-small": "Se muestra demasiado pequeño para empezar aquí.",
    elsewhere: "Confírmalo en la ventana que se ha abierto.",
  },
  confirm: {
    title: "¿Prestar este navegador?",
    text: (site) =>
      `«${site}» pregunta si este navegador puede calcular pequeñas partes de tareas de aprendizaje automático mientras su página esté a la vista. Puedes parar cuando quieras.`,
    yes: "Donar cómputo",
    no: "No",
    unknown: "El sitio que pregunta no se conoce aquí. Cierra esta ventana.",
    blocked: "El navegador no abrió la ventana de confirmación. Permítela o dona en nuestra página.",
  },
};

const zh: Words = {
  start: "开始捐献算力",
  pause: "暂停",
  resume: "继续",
  stop: "停止",
  finish: "完成当前任务后停止",
  region: "Flux:捐献算力",
  about: "这是什么?",
  title: "把这个浏览器借给机器学习",
  offer: (percent) => `最多使用本设备的 ${percent} %,且仅在此处可见时。您开始之前不会运行任何内容。`,
  offerShort: (percent) => `可见时最多使用本设备的 ${percent} %。`,
  starting: "正在连接……",
  measuring: "正在测量此浏览器……",
  encrypted: "正在计算此浏览器无法读取的加密数据。",
  public: "正在计算公开数据。",
  waiting: "等待任务。",
  offline: "连接中断,正在重试……",
  finishing: "正在完成当前微任务,然后停止。",
  stopping: "正在停止……",
  verified: (microtasks) => `已验证 ${microtasks}`,
  power: "算力",
  paused: {
    visitor: "您已暂停。",
    battery: "已暂停:正在使用电池。",
    metered: "已暂停:按流量计费的网络。",
    hidden: "已暂停:不在视野中。",
    "in-use": "已暂停:设备正在使用。",
    hours: "已暂停:不在所选时段。",
    left: "已暂停:页面已离开。",
  },
  refused: {
    "unknown-key": "此网站的密钥无效,因此无法在此开始。",
    "foreign-origin": "此页面不得使用该密钥,因此无法在此开始。",
    "no-referrer": "浏览器隐藏了当前页面的来源,因此无法在此开始。",
  },
  consent: {
    untrusted: "只有您本人的点击才能开始。",
    covered: "有内容遮挡或改变了此按钮。只有完全可见时才能开始。",
    "too-soon": "请先看一秒钟,然后再次按下。",
    moved: "按钮在指针下移动了。请再次按下。",
    "too-small": "显示得太小,无法在此开始。",
    elsewhere: "请在打开的窗口中确认。",
  },
  confirm: {
    title: "借出此浏览器?",
    text: (site) => `“${site}”询问:在其页面可见期间,此浏览器可否计算机器学习任务的小片段。您可以随时停止。`,
    yes: "开始捐献算力",
    no: "不",
    unknown: "这里不认识提出请求的网站。请关闭此窗口。",
    blocked: "浏览器没有打开确认窗口。请允许它,或在我们的页面上捐献。",
  },
};

export const WORDS: Record<Language, Words> = { en, de, fr, es, zh };
