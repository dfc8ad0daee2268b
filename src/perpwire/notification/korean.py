"""Alerts in Korean: of each text a title and a sentence, and the names of facts. The venue's own words stay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from perpwire.notification.alert import Alert, Severity


class Text(NamedTuple):
    """A title, and what it means or what to do."""

    title: str
    sentence: str


class Facts(dict[str, Any]):
    """Of an incident; one that it does not state is said as nothing."""

    def __missing__(self, name: str) -> str:
        return ""


SEVERITIES = {Severity.INFO: "정보", Severity.WARNING: "경고", Severity.CRITICAL: "긴급"}

VENUES = {"binance": "바이낸스", "bybit": "바이비트"}

TEXTS: Mapping[str, Text] = {
    "connection_lost": Text("연결 끊김: {connection}", "연결이 끊겨 재접속을 시도합니다."),
    "connection_failing": Text(
        "연결 실패: {connection}", "{attempts}회 시도했지만 연결되지 않습니다. 재접속을 계속합니다."
    ),
    "login_refused": Text(
        "API 키 인증 거부: {connection}", "거래소가 API 키를 거부했습니다. 키의 상태, 권한, 허용 IP를 확인하세요."
    ),
    "connection_recovered": Text("연결 복구: {connection}", "{outage_s}초 만에 연결이 복구되었습니다."),
    "account_unread": Text(
        "계정 조회 불가",
        "포지션, 잔고, 미체결 주문을 조회하지 못하고 있어 현재 상태가 실제와 다를 수 있습니다. 조회를 계속합니다.",
    ),
    "account_read_again": Text("계정 조회 복구", "{unread_s}초 만에 계정을 다시 조회했습니다."),
    "stream_stale": Text(
        "데이터 수신 중단: {connection}", "소켓은 살아 있지만 {silent_s}초 동안 데이터가 없어 새 소켓으로 교체합니다."
    ),
    "stream_silent": Text("구독 후 데이터 없음: {topic}", "구독은 승인되었지만 데이터가 들어오지 않습니다."),
    "route_found": Text(
        "스트림 경로 변경: {topic}", "{tried} 경로에서는 응답이 없고 {works} 경로에서 수신됩니다. 그 경로로 계속합니다."
    ),
    "stream_gap": Text("{kind} 데이터 누락", "수신하지 못한 {kind} 데이터가 있으며 복구하지 못했습니다."),
    "stream_gap_repaired": Text("{kind} 데이터 누락(복구됨)", "수신하지 못한 {kind} 데이터를 다시 조회해 채웠습니다."),
    "unknown_seen": Text(
        "알 수 없는 거래소 응답: {word}",
        "이 버전이 모르는 값입니다. 데이터 손실은 없지만 거래소의 변경 공지를 확인하세요.",
    ),
    "position_mismatch": Text(
        "{symbol} 포지션 불일치",
        "체결 내역으로 계산한 수량은 {by_fills}, 거래소 수량은 {by_venue}입니다. 이제부터 거래소 수량을 따릅니다.",
    ),
    "loop_stalled": Text("이벤트 루프 정지", "프로그램이 {stalled_s}초 동안 멈춰 시세와 체결을 처리하지 못했습니다."),
    "stream_lagging": Text(
        "데이터 지연: {connection}", "수신 데이터가 {lag_s}초 늦습니다. 네트워크와 처리 코드를 확인하세요."
    ),
    "consumer_behind": Text("{kind} 처리 지연", "처리가 늦어 {waiting}건이 쌓였고 버퍼가 넘쳤습니다."),
    "subscription_refused": Text("구독 거부: {topic}", "거래소가 구독을 거부했습니다. 다른 구독은 유지됩니다."),
    "book_gap": Text("{symbol} 호가창 동기화 끊김", "호가창을 다시 구성하는 동안에는 호가를 읽을 수 없습니다."),
    "book_recovered": Text("{symbol} 호가창 동기화 복구", "호가창이 다시 동기화되었습니다."),
    "order_failed": Text("{symbol} 주문 실패", "주문이 거부되었거나 전송되지 못했습니다."),
    "balance_insufficient": Text(
        "증거금 부족으로 주문 거부", "주문 가능 잔고가 부족합니다. 증거금을 추가하거나 포지션과 미체결 주문을 줄이세요."
    ),
    "order_doubtful": Text(
        "{symbol} 주문 결과 미확인", "주문이 접수되었는지 아직 알 수 없어 조회 중입니다. 같은 주문을 다시 내지 마세요."
    ),
    "order_unresolved": Text(
        "{symbol} 주문 결과 확인 불가",
        "주문의 결과를 끝내 확인하지 못했습니다. 거래소에서 미체결 주문과 포지션을 직접 확인하세요.",
    ),
    "order_resolved": Text(
        "{symbol} 주문 결과 확인: {outcome}", "미확인 주문의 결과가 {after_s}초 만에 확인되었습니다."
    ),
    "mode_changed": Text("포지션 모드: {mode}", "계정의 포지션 모드가 예상과 달라 실제 모드를 따릅니다."),
    "unknown_code": Text(
        "알 수 없는 오류 코드 {code} ({call})", "오류 코드표에 없는 코드입니다. 거래소의 변경 공지를 확인하세요."
    ),
    "dead_man_failed": Text(
        "{symbol} 자동 취소 타이머 갱신 실패", "타이머가 만료되면 거래소가 미체결 주문을 모두 취소할 수 있습니다."
    ),
    "guard_tripped": Text("주문 차단: {guard}", "설정한 한도에 걸려 주문을 보내지 않았습니다."),
    "kill_switch": Text("킬 스위치 작동", "킬 스위치가 작동하여 신규 주문을 보내지 않습니다."),
    "fanout_failing": Text(
        "Redis 전송 장애",
        "수신한 데이터를 Redis로 보내지 못하고 있습니다({reason}). {waiting}건이 대기 중이며 전송을 계속 시도합니다.",
    ),
    "fanout_recovered": Text(
        "Redis 전송 복구", "{failed_s}초 만에 전송이 복구되었습니다. 그동안 {dropped}건이 폐기되었습니다."
    ),
    "fills_recovered": Text("누락 체결 {count}건 복구", "계정 스트림이 놓친 체결을 다시 조회해 반영했습니다."),
    "rate_limit_hit": Text("요청 한도 초과", "거래소의 요청 한도를 초과해 {retry_after_s}초 동안 호출을 멈춥니다."),
    "banned": Text(
        "요청 차단: {retry_after_s}초",
        "거래소가 이 IP 또는 계정의 요청을 차단했습니다. 차단이 풀릴 때까지 호출하지 않습니다.",
    ),
    "budget_pressed": Text(
        "요청 한도 임박: {budget}", "요청 한도의 {share} 이상을 {pressed_s}초 동안 쓰고 있습니다. 호출을 줄이세요."
    ),
    "budget_eased": Text("요청 한도 여유 회복: {budget}", "요청 한도 사용량이 다시 안정되었습니다."),
    "clock_stepped": Text(
        "시계 오차 재측정", "거래소가 타임스탬프를 거부해 시간을 다시 측정했습니다. 오차는 {offset_ms}ms입니다."
    ),
    "clock_skewed": Text(
        "시계 오차 {offset_ms}ms", "시스템 시계가 거래소와 크게 어긋나 있습니다. 시간 동기화(NTP)를 확인하세요."
    ),
    "margin_called": Text(
        "마진콜: {symbol} 청산 임박", "포지션이 청산가에 가까워졌습니다. 증거금을 추가하거나 포지션을 줄이세요."
    ),
    "position_liquidated": Text(
        "{symbol} 포지션 강제 청산",
        "거래소가 포지션을 강제로 청산하고 있습니다. 잔여 포지션과 미체결 주문을 확인하세요.",
    ),
    "instrument_changed": Text("{symbol} 종목 변경: {how}", "거래소가 종목의 거래 조건을 변경했습니다."),
    "instrument_ending": Text(
        "{symbol} 24시간 내 거래 종료", "만기 또는 상장폐지가 임박했습니다. 포지션과 미체결 주문을 정리하세요."
    ),
    "handler_failed": Text(
        "핸들러 오류: {handler}", "사용자 코드에서 예외가 발생했습니다. 스트림과 다른 핸들러는 계속 동작합니다."
    ),
    "task_failed": Text("내부 작업 오류: {task}", "예상하지 못한 오류로 내부 작업이 중단되어 다시 시작했습니다."),
    "key_warning": Text("API 키 점검 필요: {what}", "API 키의 만료일, 허용 IP, 권한을 확인하세요."),
    "frame_garbled": Text(
        "읽을 수 없는 데이터: {connection}", "해석할 수 없는 메시지를 받았습니다. 스트림은 계속됩니다."
    ),
    "test": Text("알림 테스트 ({severity})", "알림 테스트입니다. 이 메시지가 보이면 알림이 정상적으로 전달됩니다."),
    "unforeseen": Text("기타 사건: {incident}", "규칙이 정해지지 않은 사건입니다."),
}

FACTS: Mapping[str, str] = {
    "after_s": "소요 시간(초)",
    "attempts": "시도 횟수",
    "budget": "요청 한도",
    "busy_s": "핸들러 사용 시간(초)",
    "by_fills": "체결 기준 수량",
    "by_venue": "거래소 기준 수량",
    "call": "호출",
    "client_order_id": "클라이언트 주문 ID",
    "code": "코드",
    "connection": "연결",
    "count": "건수",
    "dropped": "폐기 건수",
    "ends_ms": "종료 시각(Unix ms)",
    "failed_s": "장애 시간(초)",
    "guard": "한도",
    "handler": "핸들러",
    "how": "변경 유형",
    "kind": "데이터 종류",
    "lag_s": "지연(초)",
    "maintenance_margin": "유지 증거금",
    "mark_price": "시장 평균가(마크 가격)",
    "mode": "포지션 모드",
    "off_grid": "규격에 맞지 않는 미체결 주문",
    "offset_ms": "시계 오차(ms)",
    "order_id": "주문 ID",
    "outage_s": "중단 시간(초)",
    "outcome": "주문 결과",
    "position_side": "포지션 방향",
    "pressed_s": "지속 시간(초)",
    "quantity": "수량",
    "reason": "원인",
    "repaired": "복구 여부",
    "retry_after_s": "대기 시간(초)",
    "route": "경로",
    "severity": "심각도",
    "share": "사용률",
    "side": "주문 방향",
    "silent_s": "무응답 시간(초)",
    "sink": "수신처",
    "stalled_s": "정지 시간(초)",
    "symbol": "종목",
    "task": "작업",
    "topic": "구독",
    "topics": "구독 목록",
    "tried": "응답 없는 경로",
    "unread_s": "조회 불가 시간(초)",
    "unrealized_pnl": "미실현 손익",
    "waiting": "대기 건수",
    "what": "내용",
    "where": "위치",
    "word": "거래소 표현",
    "works": "응답하는 경로",
}

VALUES: Mapping[str, Mapping[str, str]] = {
    "outcome": {"ACCEPTED": "접수됨", "NOT_PLACED": "접수되지 않음", "UNRESOLVED": "확인 불가"},
    "mode": {"ONE_WAY": "단방향", "HEDGE": "헤지"},
    "how": {"LISTED": "신규 상장", "DELISTED": "상장폐지", "CHANGED": "조건 변경"},
    "side": {"BUY": "매수", "SELL": "매도"},
    "position_side": {"BOTH": "단방향", "LONG": "롱", "SHORT": "숏"},
    "repaired": {"True": "예", "False": "아니요"},
    "what": {
        "trading": "거래 권한 없음", "withdrawal": "출금 권한 있음", "ip": "허용 IP 미설정", "expiry": "만료 임박",
        "unknown": "권한 조회 실패",
    },
    "kind": {
        "Trade": "체결", "AggTrade": "집계 체결", "Kline": "캔들", "MarkPrice": "마크 가격",
        "BookTicker": "최우선 호가",
        "Ticker": "시세", "FundingRate": "펀딩비", "Liquidation": "청산", "Order": "주문", "Fill": "내 체결",
        "Position": "포지션", "Balance": "잔고", "OpenInterest": "미결제약정",
    },
    "guard": {
        "kill_switch": "킬 스위치", "price_collar": "가격 범위", "max_order_notional": "주문 금액 한도",
        "max_position_notional": "포지션 금액 한도", "max_orders": "주문 속도 한도",
    },
    "severity": {severity.value: words for severity, words in SEVERITIES.items()},
}  # fmt: skip
"""Words of ours that are facts; what is not here is said as it is."""


def headline(alert: Alert) -> str:
    again = f" ({alert.repeats}회 추가 발생)" if alert.repeats else ""
    if alert.repeats and alert.resolves is not None:
        again = f" (그동안 {alert.repeats}회 추가 발생)"
    if alert.open_s:
        again += f" ({max(1, round(alert.open_s / 60))}분째 미해결)"
    venue = f"{VENUES.get(alert.venue, alert.venue)}: " if alert.venue else ""
    return f"[{SEVERITIES[alert.severity]}] {venue}{_title(alert)}{again}"


def body(alert: Alert, at: str) -> str:
    text = TEXTS.get(alert.text)
    lines = [] if text is None else [text.sentence.format_map(_said(alert))]
    lines += [f"{FACTS.get(name, name)}: {_value(name, fact)}" for name, fact in alert.facts.items()]
    if alert.detail:
        lines.append(f"원문: {alert.detail}")
    return "\n".join([*lines, f"발생 시각: {at}"])


def _title(alert: Alert) -> str:
    text = TEXTS.get(alert.text)
    return alert.title if text is None else text.title.format_map(_said(alert))


def _said(alert: Alert) -> Facts:
    facts = {name: _value(name, fact) for name, fact in alert.facts.items()}
    return Facts(facts, venue=VENUES.get(alert.venue, alert.venue), incident=alert.title)


def _value(name: str, fact: str) -> str:
    return VALUES.get(name, {}).get(fact, fact)
