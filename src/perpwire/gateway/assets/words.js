// Every text of the page, in English and Korean. Incidents come with their words in both; what a venue says is shown as it is.

const WORDS = {
  // the top
  title: ["perpwire status", "perpwire 상태"],
  skip: ["Skip to the content", "본문으로 건너뛰기"],
  starting: ["Connecting to perpwire …", "perpwire에 연결하는 중 …"],
  all_well: ["All streams are live and in sync", "모든 스트림이 정상이며 동기화되어 있습니다"],
  not_known: ["Not known since {time}", "{time} 이후 상태를 알 수 없습니다"],
  missing_one: ["1 thing is not as it should be", "비정상 항목 1개"],
  missing_many: ["{n} things are not as they should be", "비정상 항목 {n}개"],
  book_of: ["order book of {symbol}", "{symbol} 호가창"],
  account_stream: ["account stream", "계정 스트림"],
  step_start: ["start", "거래소 연결"],
  step_account: ["account stream", "계정 스트림"],
  step_streams: ["streams of {symbol}", "{symbol} 시세 스트림"],
  step_candles: ["candles of {symbol}", "{symbol} 캔들 스트림"],
  step_book: ["book of {symbol}", "{symbol} 호가창"],
  not_yet: ["not there yet", "아직 준비되지 않음"],
  up_for: ["up for {time}", "가동 {time}"],
  stale: ["This page has lost its server. Reconnecting …", "서버와 연결이 끊겼습니다. 다시 연결하는 중 …"],
  stale_never: ["This page can't reach its server yet. Trying again …", "아직 서버에 연결할 수 없습니다. 다시 시도하는 중 …"],
  stale_age: ["What it shows is {time} old.", "표시된 내용은 {time} 전 기준입니다."],
  stale_title: ["stale", "갱신 중단"],
  language: ["한국어", "English"],
  venues: ["Venues", "거래소"],

  // the bars
  bars: ["Quality", "품질 지표"],
  bar_response_time: ["API response time", "API 응답 시간"],
  bar_stability: ["Connection stability", "연결 안정성"],
  bar_recovery: ["Error recovery", "오류 복구율"],
  bar_accuracy: ["Data accuracy", "데이터 정확성"],
  bar_latency: ["WebSocket latency", "웹소켓 지연"],
  bar_wanted: ["goal {value}", "목표 {value}"],
  bar_holds: ["holds", "충족"],
  bar_fails: ["missed", "미달"],
  bar_unknown: ["not measured yet", "아직 측정 전"],
  bar_samples: ["{n} samples", "표본 {n}개"],

  // incidents
  incidents: ["Incidents", "인시던트"],
  no_incidents: ["Nothing has happened yet.", "아직 발생한 인시던트가 없습니다."],
  none_of_these: ["None of this severity.", "해당 등급의 인시던트가 없습니다."],
  older: ["Show older", "이전 항목 보기"],
  all: ["All", "전체"],
  severity: ["Severity", "심각도"],
  info: ["info", "정보"],
  warning: ["warning", "경고"],
  critical: ["critical", "긴급"],

  // the fan-out
  fanout_up: ["Redis takes what is heard", "Redis 전송 정상"],
  fanout_down: ["Redis does not take what is heard: {why}", "Redis 전송 장애: {why}"],
  fanout_sent: ["{n} sent", "전송 {n}건"],
  fanout_waiting: ["{n} waiting", "대기 {n}건"],

  // a venue
  connections: ["Connections", "연결"],
  no_connections: ["No connection is wanted yet.", "아직 요청된 연결이 없습니다."],
  minutes_15: ["15 min", "15분"],
  hours_24: ["24 h", "24시간"],
  span: ["Span of time", "기간"],
  now: ["now", "지금"],
  ago_min: ["−{n} min", "{n}분 전"],
  ago_h: ["−{n} h", "{n}시간 전"],
  reconnects: ["reconnected\u00a0{n}×", "재연결 {n}회"],
  topics_live: ["{n} of {of} topics live", "토픽 {of}개 중 {n}개 수신"],
  live_share: ["{value} live and in sync", "정상·동기화 {value}"],
  timeline: ["{name}: {state}; live {value} of the last 15 minutes, {n} interruptions", "{name}: {state}, 최근 15분 중 정상 {value}, 중단 {n}회"],
  outage_from: ["{state}: {from} to {to}", "{state}: {from}부터 {to}까지"],
  idle: ["idle", "대기"],
  connecting: ["connecting", "연결 중"],
  logging_in: ["logging in", "로그인 중"],
  subscribing: ["subscribing", "구독 중"],
  live: ["live", "정상"],
  waiting: ["reconnecting", "재연결 대기"],
  closed: ["closed", "종료"],
  degraded: ["not all topics", "일부 토픽 미수신"],
  unknown: ["unknown", "알 수 없음"],
  up: ["up", "정상"],
  down: ["not right", "비정상"],
  public_only: ["public data only", "공개 데이터만"],

  plots: ["Over time", "추이"],
  live_share_plot: ["Live and in sync", "정상·동기화 비율"],
  response_time: ["Response time, p95", "응답 시간 p95"],
  lag: ["Stream lag, venue to here", "스트림 지연 (거래소 → 수신)"],
  latency: ["Latency to handler, p99", "처리 지연 p99 (수신 → 핸들러)"],
  events: ["Events per second", "초당 이벤트"],
  budget_used: ["Rate budget used", "요청 한도 사용률"],
  no_data: ["no data yet", "데이터 없음"],
  plot_summary: ["now {now}, highest {high}", "현재 {now}, 최고 {high}"],
  per_second: ["{n}/s", "{n}/초"],

  budgets: ["Rate limits", "요청 한도"],
  no_budgets: ["Nothing has been spent yet.", "아직 사용한 한도가 없습니다."],
  budget: ["{used} of {limit} in {window}", "{window}당 {limit} 중 {used} 사용"],
  banned: ["The venue takes no calls from this address until {time}", "{time}까지 이 주소의 요청이 차단되었습니다"],

  positions: ["Positions", "포지션"],
  no_positions: ["No open positions.", "보유 포지션이 없습니다."],
  symbol: ["Symbol", "종목"],
  side: ["Side", "방향"],
  long: ["long", "롱"],
  short: ["short", "숏"],
  quantity: ["Quantity", "수량"],
  entry: ["Entry", "진입가"],
  mark: ["Mark", "시장 평균가"],
  pnl: ["Unrealised profit", "미실현 손익"],
  liquidation: ["Liquidation", "청산가"],
  distance: ["Distance", "청산까지"],

  orders: ["Open orders", "미체결 주문"],
  no_orders: ["No open orders.", "미체결 주문이 없습니다."],
  doubtful: ["{n} orders of unknown outcome", "결과 미확인 주문 {n}건"],
  buy: ["buy", "매수"],
  sell: ["sell", "매도"],
  type: ["Type", "유형"],
  price: ["Price", "가격"],
  filled: ["Filled", "체결"],
  status: ["Status", "상태"],
  more_rows: ["{n} more are not shown", "{n}건 더 있음"],

  balances: ["Balances", "잔고"],
  no_balances: ["No balances are known.", "잔고 정보가 없습니다."],
  no_account: ["The account is not followed.", "계정을 조회하지 않습니다."],
  asset: ["Asset", "자산"],
  wallet: ["Wallet", "지갑 잔고"],
  available: ["Available", "주문 가능"],

  repairs: ["Gaps and recoveries", "누락과 복구"],
  books: ["Order books", "호가창"],
  in_sync: ["{n} of {of} in sync", "{of}개 중 {n}개 동기화"],
  gaps: ["Gaps", "누락 구간"],
  repaired: ["{n} repaired", "{n}건 복구"],
  outages: ["Outages", "연결 끊김"],
  recovered: ["{n} recovered", "{n}건 복구"],
  loop: ["Event loop stalls", "이벤트 루프 정지"],
  longest: ["longest {time}", "최장 {time}"],
  clock: ["Clock offset", "시계 오차"],
  queues: ["Waiting events", "대기 이벤트"],
  dropped: ["{n} dropped", "{n}건 폐기"],
  journal: ["Journal backlog", "저널 적체"],
  key: ["API key", "API 키"],
  expires_in: ["expires in {time}", "{time} 후 만료"],
  no_expiry: ["does not expire", "만료 없음"],

  streams: ["Times by kind of stream", "스트림 종류별 지연"],
  stream: ["Stream", "스트림"],
  to_here: ["Venue to here", "거래소 → 수신"],
  to_handler: ["Here to handler", "수신 → 핸들러"],
  calls: ["Calls", "API 호출"],
  call: ["Call", "호출"],
  count: ["Count", "횟수"],
  errors: ["Errors", "오류"],
  no_calls: ["No calls yet.", "아직 호출이 없습니다."],

  footer: ["Nothing can be traded or changed from this page.", "이 페이지에서는 거래하거나 설정을 바꿀 수 없습니다."],
};

export const LANGUAGES = ["en", "ko"];

let chosen = 0;

/** `wanted`: what the server's settings say, "" for nothing. The address has the first word, the browser the last. */
export function choose(wanted = "") {
  const asked = new URLSearchParams(location.search).get("lang") ?? "";
  const language = [asked, wanted, ...navigator.languages.map((one) => one.slice(0, 2))].find((one) => LANGUAGES.includes(one));
  chosen = Math.max(0, LANGUAGES.indexOf(language ?? "en"));
  document.documentElement.lang = LANGUAGES[chosen];
  document.title = word("title");
}

export function language() {
  return LANGUAGES[chosen];
}

export function other() {
  return LANGUAGES[1 - chosen];
}

/** A text, with {names} filled in. */
export function word(key, facts = {}) {
  const words = WORDS[key];
  return words === undefined ? key : filled(words[chosen], facts);
}

/** What the server says of an incident, in the reader's language: its title and its sentence. */
export function saidOf(incident) {
  return incident.said[language()] ?? incident.said[LANGUAGES[0]];
}

/** Why something is missing: our own words in the page's language, others' as they are. */
export function whyOf(missing) {
  return missing.said[language()] ?? missing.why;
}

/** A state as the server names it ("logging in"). */
export function stateWord(state) {
  const key = state.replaceAll(" ", "_");
  return Object.hasOwn(WORDS, key) ? word(key) : state;
}

function filled(text, facts) {
  return text.replace(/\{(\w+)\}/g, (_, name) => facts[name] ?? "");
}
