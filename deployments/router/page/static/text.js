// All words of the page, by language. {names} stand for values.
const TEXTS = {
  en: {
    dismiss: "Dismiss", mark_again: "Ask {id} again", retry_type: "Type the question of {id} again: it goes to other models than before.", price: "Price of a million tokens, in / out", budgets: "Thinking tokens",
    name: "English", skip: "Skip to the content", language: "Language", theme: "Colours", theme_system: "like the system",
    theme_light: "light", theme_dark: "dark", key: "API key", ask_title: "Ask", question: "Question", check: "A right answer",
    check_none: "is not checked", check_contains: "contains", check_numeric: "has as its last number", check_choice: "is the option (a letter)",
    check_regex: "matches the pattern", check_json_schema: "is JSON with the schema", check_auto: "is judged by the request itself",
    check_value: "Value", model: "Model", task: "Task", max_tokens: "Most tokens", worth: "Worth of a right answer", deadline: "Deadline",
    send: "Ask", stop: "Stop", answer: "Answer", was_right: "It is right", was_wrong: "It is wrong", ask_again: "Ask again",
    attempts_of_answer: "Attempts", why: "Why this model", models_title: "Models now",
    map_title: "How often each model is right", map_note: "The chance that a first answer is right, by language of the prompt and its length in tokens; below it the 95 % interval and the measured prompts. A dashed cell was not measured: it is inferred from the others.",
    log_title: "Latest attempts", verdict: "Verdict", prompt_language: "Language", refresh: "Show", all: "all",
    seconds: "{n} s", waiting: "asking …", verifying: "verifying …", stopped: "stopped", verified: "Verified after {s}.",
    not_verified: "Not verified: no attempt was found right.", no_check: "Not checked.", read_as: "read as “{text}”",
    noted: "Noted. laar learns from it.", tokens_only: "{n} tokens", of_prompts: "{correct} of {tried}", not_measured: "not measured",
    first: "laar would ask {model} first: right with {chance} chance ({low} to {high}) in about {seconds}.",
    first_named: "The request names {model}.", then: "If that is wrong: {models}.", one_attempt: "Without a check there is one attempt.",
    none_left: "No model may be asked now.", chance: "Right", interval: "95 % interval", expected: "Takes", score: "Takes / right", place: "Place",
    in_flight: "In flight", excluded: "Not asked because", load: "Load", success: "Right / judged", failed: "Failed", latency: "Mean time",
    replicas: "Replicas", state: "State", ok: "well", unhealthy: "not asked", starting: "not running", drifting: "drifts",
    alarm_worse: "{model} answers worse than it was measured ({task}).", alarm_better: "{model} answers better than it was measured ({task}).",
    all_tasks: "all tasks", ttca: "Time to a correct answer: half within {p50}, 95 % within {p95}.", no_ttca: "No verified answer yet.",
    ttca_line: "Median time to a correct answer since this page was opened", summary: "{ended} requests lately, {verified} of {with_check} checked ones verified. Policy: {policy}.",
    time: "Time", request: "Request", reason: "Reason", feedback: "Feedback", mark_right: "Answer of {id} is right", mark_wrong: "Answer of {id} is wrong",
    no_log: "The operator has turned the attempt log off.", num_attempts: "{n} attempts", no_answer: "laar does not answer: {message}",
    nothing_new: "No model is left that could give another answer. Change the question, or name a model.",
    need_key: "This application wants an API key. Type it above.", bucket: "Tokens", this_replica: "as seen by one router replica",
  },
  de: {
    dismiss: "Schließen", mark_again: "{id} noch einmal fragen", retry_type: "Tippen Sie die Frage von {id} noch einmal: sie geht an andere Modelle als zuvor.", price: "Preis einer Million Tokens, hin / her", budgets: "Denk-Tokens",
    name: "Deutsch", skip: "Zum Inhalt", language: "Sprache", theme: "Farben", theme_system: "wie das System", theme_light: "hell",
    theme_dark: "dunkel", key: "API-Schlüssel", ask_title: "Fragen", question: "Frage", check: "Eine richtige Antwort",
    check_none: "wird nicht geprüft", check_contains: "enthält", check_numeric: "hat als letzte Zahl", check_choice: "ist die Option (ein Buchstabe)",
    check_regex: "passt auf das Muster", check_json_schema: "ist JSON nach dem Schema", check_auto: "ergibt sich aus der Anfrage",
    check_value: "Wert", model: "Modell", task: "Aufgabe", max_tokens: "Höchstens Tokens", worth: "Wert einer richtigen Antwort", deadline: "Frist",
    send: "Fragen", stop: "Anhalten", answer: "Antwort", was_right: "Sie ist richtig", was_wrong: "Sie ist falsch", ask_again: "Noch einmal fragen",
    attempts_of_answer: "Versuche", why: "Warum dieses Modell", models_title: "Die Modelle jetzt",
    map_title: "Wie oft jedes Modell recht hat", map_note: "Die Wahrscheinlichkeit, dass die erste Antwort richtig ist, nach Sprache der Anfrage und ihrer Länge in Tokens; darunter das 95-%-Intervall und die gemessenen Anfragen. Eine gestrichelte Zelle wurde nicht gemessen: sie ist aus den anderen erschlossen.",
    log_title: "Die letzten Versuche", verdict: "Urteil", prompt_language: "Sprache", refresh: "Zeigen", all: "alle",
    seconds: "{n} s", waiting: "fragt …", verifying: "prüft …", stopped: "angehalten", verified: "Bestätigt nach {s}.",
    not_verified: "Nicht bestätigt: kein Versuch wurde für richtig befunden.", no_check: "Nicht geprüft.", read_as: "gelesen als „{text}“",
    noted: "Notiert. laar lernt daraus.", tokens_only: "{n} Tokens", of_prompts: "{correct} von {tried}", not_measured: "nicht gemessen",
    first: "laar würde zuerst {model} fragen: richtig mit {chance} ({low} bis {high}) in etwa {seconds}.",
    first_named: "Die Anfrage nennt {model}.", then: "Wenn das falsch ist: {models}.", one_attempt: "Ohne Prüfung gibt es einen Versuch.",
    none_left: "Kein Modell darf jetzt gefragt werden.", chance: "Richtig", interval: "95-%-Intervall", expected: "Dauert", score: "Dauer / richtig", place: "Platz",
    in_flight: "Unterwegs", excluded: "Nicht gefragt, weil", load: "Last", success: "Richtig / beurteilt", failed: "Gescheitert", latency: "Mittlere Zeit",
    replicas: "Replikate", state: "Zustand", ok: "gesund", unhealthy: "nicht gefragt", starting: "läuft nicht", drifting: "weicht ab",
    alarm_worse: "{model} antwortet schlechter als gemessen ({task}).", alarm_better: "{model} antwortet besser als gemessen ({task}).",
    all_tasks: "alle Aufgaben", ttca: "Zeit bis zur richtigen Antwort: die Hälfte in {p50}, 95 % in {p95}.", no_ttca: "Noch keine bestätigte Antwort.",
    ttca_line: "Median der Zeit bis zur richtigen Antwort, seit diese Seite offen ist", summary: "{ended} Anfragen zuletzt, {verified} von {with_check} geprüften bestätigt. Regel: {policy}.",
    time: "Zeit", request: "Anfrage", reason: "Grund", feedback: "Rückmeldung", mark_right: "Antwort von {id} ist richtig", mark_wrong: "Antwort von {id} ist falsch",
    no_log: "Der Betreiber hat das Protokoll ausgeschaltet.", num_attempts: "{n} Versuche", no_answer: "laar antwortet nicht: {message}",
    nothing_new: "Kein Modell könnte noch anders antworten. Ändern Sie die Frage, oder nennen Sie ein Modell.",
    need_key: "Diese Anwendung will einen API-Schlüssel. Bitte oben eingeben.", bucket: "Tokens", this_replica: "aus Sicht eines Router-Replikats",
  },
  zh: {
    dismiss: "关闭", mark_again: "重新提问 {id}", retry_type: "请再次输入 {id} 的问题：这次会问其他模型。", price: "每百万词元价格，输入/输出", budgets: "思考词元",
    name: "中文", skip: "跳到正文", language: "语言", theme: "颜色", theme_system: "跟随系统", theme_light: "浅色",
    theme_dark: "深色", key: "API 密钥", ask_title: "提问", question: "问题", check: "正确的回答",
    check_none: "不检查", check_contains: "包含", check_numeric: "最后一个数是", check_choice: "是选项（一个字母）",
    check_regex: "符合正则表达式", check_json_schema: "是符合模式的 JSON", check_auto: "由请求本身决定",
    check_value: "值", model: "模型", task: "任务", max_tokens: "最多词元数", worth: "正确回答的价值", deadline: "时限",
    send: "提问", stop: "停止", answer: "回答", was_right: "回答正确", was_wrong: "回答错误", ask_again: "重新提问",
    attempts_of_answer: "尝试", why: "为什么选这个模型", models_title: "模型现状",
    map_title: "各模型的正确率", map_note: "首次回答正确的概率，按提示的语言和长度（词元）排列；下面是 95% 区间和实测的提示数。虚线格没有实测，由其他格推断。",
    log_title: "最近的尝试", verdict: "判定", prompt_language: "语言", refresh: "显示", all: "全部",
    seconds: "{n} 秒", waiting: "正在提问……", verifying: "正在验证……", stopped: "已停止", verified: "{s}后通过验证。",
    not_verified: "未通过验证：没有一次尝试被判为正确。", no_check: "未检查。", read_as: "读作“{text}”",
    noted: "已记录，laar 会从中学习。", tokens_only: "{n} 个词元", of_prompts: "{tried} 个中对 {correct} 个", not_measured: "没有实测",
    first: "laar 会先问 {model}：正确的概率为 {chance}（{low} 到 {high}），约需 {seconds}。",
    first_named: "请求指定了 {model}。", then: "如果错了，再问：{models}。", one_attempt: "不检查时只尝试一次。",
    none_left: "现在没有可以提问的模型。", chance: "正确率", interval: "95% 区间", expected: "耗时", score: "耗时/正确率", place: "次序",
    in_flight: "进行中", excluded: "不问的原因", load: "负载", success: "正确/已判定", failed: "失败", latency: "平均耗时",
    replicas: "副本", state: "状态", ok: "正常", unhealthy: "暂不提问", starting: "未运行", drifting: "偏离",
    alarm_worse: "{model} 的表现比测得的差（{task}）。", alarm_better: "{model} 的表现比测得的好（{task}）。",
    all_tasks: "所有任务", ttca: "得到正确回答的时间：一半在 {p50} 内，95% 在 {p95} 内。", no_ttca: "还没有通过验证的回答。",
    ttca_line: "打开本页以来得到正确回答的时间中位数", summary: "最近 {ended} 个请求，检查的 {with_check} 个中 {verified} 个通过验证。策略：{policy}。",
    time: "时间", request: "请求", reason: "原因", feedback: "反馈", mark_right: "{id} 的回答正确", mark_wrong: "{id} 的回答错误",
    no_log: "运营者关闭了日志。", num_attempts: "{n} 次尝试", no_answer: "laar 没有响应：{message}",
    nothing_new: "没有模型能给出不同的回答。请修改问题，或指定一个模型。",
    need_key: "此应用需要 API 密钥，请在上方输入。", bucket: "词元", this_replica: "一个路由副本所见",
  },
};
const LOCALE = "laar-locale";
const known = (locale) => (locale in TEXTS ? locale : undefined);

export const locales = Object.entries(TEXTS).map(([locale, texts]) => [locale, texts.name]);

export const locale = () =>
  known(localStorage.getItem(LOCALE)) ?? navigator.languages.map((l) => known(l.split("-")[0])).find(Boolean) ?? "en";

export const setLocale = (value) => localStorage.setItem(LOCALE, value);

export function say(name, values = {}) {
  const template = TEXTS[locale()][name] ?? TEXTS.en[name] ?? name;
  return template.replace(/\{(\w+)\}/g, (_, value) => values[value] ?? "");
}

const digits = (value, options) => new Intl.NumberFormat(locale(), options).format(value);

export const seconds = (value) =>
  value === null || value === undefined ? "–" : say("seconds", { n: digits(value, { maximumSignificantDigits: 3 }) });

export const percent = (value) => digits(value, { style: "percent", maximumFractionDigits: 0 });

export const amount = (value) => digits(value, { maximumSignificantDigits: 4 });

export const clock = (iso) => new Intl.DateTimeFormat(locale(), { timeStyle: "medium" }).format(new Date(iso));

// Put the words into the page.
export function translate() {
  document.documentElement.lang = locale();
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = say(element.dataset.text);
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", say(element.dataset.label));
}
