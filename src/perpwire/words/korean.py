"""What is said in Korean; see said.py. Words of the venue, of the system and of code stay as they are, quoted."""

from __future__ import annotations

from collections.abc import Mapping

from perpwire.words.korean_reasons import REASONS as REASONS
from perpwire.words.said import Language, Text

NAME: Language = "ko"

TEXTS: Mapping[str, Text] = {
    "connection_lost": Text(
        "연결 끊김: {connection}",
        "{connection} 연결이 끊겨 재접속을 시도합니다.[ 그동안 호출은 {instead}로 보냅니다.]",
    ),
    "connection_failing": Text(
        "연결 실패: {connection}",
        "{connection} 연결을 {attempts}회 시도했지만 성공하지 못했습니다. 재접속을 계속합니다.[ 그동안 호출은 "
        "{instead}로 보냅니다.]",
    ),
    "login_refused": Text(
        "API 키 인증 거부: {connection}",
        "{connection} 연결에서 거래소가 API 키를 거부했습니다({attempts}회 시도). 키의 상태, 권한, 허용 IP를 "
        "확인하세요.[ 그동안 호출은 {instead}로 보냅니다.]",
    ),
    "connection_recovered": Text(
        "연결 복구: {connection}", "{connection} 연결이 {outage_s}초 만에 복구되었습니다({attempts}회 시도)."
    ),
    "account_unread": Text(
        "계정 조회 불가",
        "[{unread_s}초 동안 ]{attempts}회 시도했지만 포지션, 잔고, 미체결 주문을 조회하지 못해 현재 상태가 실제와 다를 "
        "수 있습니다. 조회를 계속합니다.",
    ),
    "account_read_again": Text("계정 조회 복구", "[{unread_s}초 만에 ]포지션, 잔고, 미체결 주문을 다시 조회했습니다."),
    "set_up_failing": Text(
        "시작 실패: [{symbol} ]{step}",
        "{venue} [{symbol} ]{step}: {attempts}회 시도했지만 아직 시작하지 못했습니다. 계속 시도합니다.",
    ),
    "set_up_refused": Text(
        "거부되어 시작 불가: [{symbol} ]{step}",
        "{venue} [{symbol} ]{step}: {attempts}회 시도했지만 거부되었습니다. API 키나 설정을 확인하세요. "
        "간격을 두고 다시 시도합니다.",
    ),
    "set_up_done": Text(
        "시작 완료: [{symbol} ]{step}",
        "{venue} [{symbol} ]{step}: {failing_s}초 만에 시작되었습니다(시도 {attempts}회).",
    ),
    "stream_stale": Text(
        "데이터 수신 중단: {connection}",
        "{connection} 소켓은 살아 있지만 {silent_s}초 동안 데이터가 없어 새 소켓으로 교체합니다.[ 대상: {topics}.]",
    ),
    "stream_silent": Text(
        "구독 후 데이터 없음: {topic}", "{connection}에서 {topic} 구독은 승인되었지만 데이터가 들어오지 않습니다."
    ),
    "route_found": Text(
        "스트림 경로 변경: {topic}",
        "{topic} 데이터가 ‘{tried}’ 경로에는 없고 ‘{works}’ 경로에서 수신됩니다. 그 경로로 계속합니다.",
    ),
    "stream_gap": Text(
        "{kind} 데이터 누락",
        "[{symbol}|시장 전체]의 {kind}[ {interval}] 데이터가 누락되었고 복구하지 못했습니다.",
    ),
    "stream_gap_repaired": Text(
        "{kind} 데이터 누락(복구됨)",
        "[{symbol}|시장 전체]의 누락된 {kind}[ {interval}] 데이터를 다시 조회해 채웠습니다.",
    ),
    "unknown_seen": Text(
        "알 수 없는 {venue} 응답: ‘{word}’",
        "{venue}의 ‘{word}’({where}) 값은 이 버전이 모르는 값입니다. 데이터 손실은 없지만 거래소의 변경 공지를 "
        "확인하세요.",
    ),
    "position_mismatch": Text(
        "{symbol} 포지션 불일치",
        "{symbol}: 체결 내역으로 계산한 수량은 {by_fills}, 거래소 수량은 {by_venue}입니다. 이제부터 거래소 수량을 "
        "따릅니다.",
    ),
    "loop_stalled": Text(
        "이벤트 루프 정지",
        "프로그램이 {stalled_s}초 동안 멈춰 시세와 체결을 처리하지 못했습니다.[ 위치: “{where}”]",
    ),
    "stream_lagging": Text(
        "데이터 지연: {connection}",
        "{connection} 데이터({symbol} {kind})가 {lag_s}초 늦습니다. 가장 많이 쌓인 대기열은 "
        "{waiting}건입니다.[ 그동안 가장 오래 걸린 핸들러: {handler} ({busy_s}초)]",
    ),
    "consumer_behind": Text("{kind} 처리 지연", "{kind} 처리가 늦어 {waiting}건이 쌓였고 버퍼가 넘쳤습니다."),
    "subscription_refused": Text(
        "구독 거부: {topic}",
        "{connection}에서 거래소가 {topic} 구독을 거부했습니다. 다른 구독은 유지됩니다.",
    ),
    "book_gap": Text(
        "{symbol} 호가창 동기화 끊김",
        "{symbol} 호가창을 다시 구성하는 동안에는 호가를 읽을 수 없습니다.",
    ),
    "book_recovered": Text("{symbol} 호가창 동기화 복구", "{symbol} 호가창이 다시 동기화되었습니다."),
    "order_failed": Text(
        "{symbol} 주문 실패",
        "[{symbol} {side} {quantity}|{symbol}] 주문이 거부되었거나 전송되지 못했습니다.",
    ),
    "balance_insufficient": Text(
        "증거금 부족으로 주문 거부",
        "[{symbol} {side} {quantity}|{symbol}] 주문이 증거금 부족으로 거부되었습니다. 증거금을 추가하거나 포지션과 "
        "미체결 주문을 줄이세요.",
    ),
    "order_doubtful": Text(
        "{symbol} 주문 결과 미확인",
        "[{symbol} {side} {quantity}|{symbol}] 주문({client_order_id})이 접수되었는지 아직 알 수 없어 조회 중입니다. "
        "같은 주문을 다시 내지 마세요.",
    ),
    "order_unresolved": Text(
        "{symbol} 주문 결과 확인 불가",
        "[{symbol} {side} {quantity}|{symbol}] 주문({client_order_id})의 결과를 확인하지 못했습니다. 거래소에서 "
        "미체결 주문과 포지션을 직접 확인하세요.",
    ),
    "order_resolved": Text(
        "{symbol} 주문 결과 확인: {outcome}",
        "[{symbol} {side} {quantity}|{symbol}] 주문({client_order_id})의 결과가 {after_s}초 만에 확인되었습니다: "
        "{outcome}.[ 거래소 답변: {why}]",
    ),
    "change_unresolved": Text(
        "[{symbol} 주문|주문] {change} 결과 확인 불가",
        "[{symbol} 주문|주문][({orders})]의 {change} 여부를 확인하지 못했습니다. 거래소에서 미체결 주문을 직접 "
        "확인하세요.",
    ),
    "mode_changed": Text(
        "포지션 모드: {mode}", "[{symbol}|계정]의 포지션 모드는 {mode}입니다. 예상과 달라 실제 모드를 따릅니다."
    ),
    "unknown_code": Text(
        "알 수 없는 오류 코드 {code} ({call})",
        "{call} 호출에 오류 코드표에 없는 코드({code})가 돌아왔습니다. 거래소의 변경 공지를 확인하세요.",
    ),
    "dead_man_failed": Text(
        "[{symbol} 자동|자동] 취소 타이머 갱신 실패",
        "[{symbol} 자동|자동] 취소 타이머를 갱신하지 못했습니다. [{left_s}초 뒤 거래소가 미체결 주문을 모두 "
        "취소합니다.|거래소가 미체결 주문을 모두 취소했습니다.]",
    ),
    "guard_tripped": Text("주문 차단: {guard}", "설정한 {guard}에 걸려 보내지 않았습니다: [{refused}|주문]."),
    "kill_switch": Text(
        "킬 스위치 작동",
        "킬 스위치가 작동하여 청산 주문 외에는 보내지 않습니다.[ 보내지 않은 주문: {refused}.]",
    ),
    "fanout_failing": Text(
        "Redis 전송 장애",
        "수신한 데이터를 Redis로 보내지 못하고 있습니다({reason}). {waiting}건이 대기 중이며 전송을 계속 시도합니다.",
    ),
    "fanout_recovered": Text(
        "Redis 전송 복구", "{failed_s}초 만에 전송이 복구되었습니다. 그동안 {dropped}건이 폐기되었습니다."
    ),
    "fills_recovered": Text(
        "누락 체결 {count}건 복구", "계정 스트림이 놓친 체결 {count}건을 다시 조회해 반영했습니다."
    ),
    "rate_limit_hit": Text(
        "요청 한도 초과",
        "거래소가 요청 한도 초과로 [{call}|호출]을 거부해 {retry_after_s}초 동안 호출을 멈춥니다.",
    ),
    "banned": Text(
        "요청 차단: {retry_after_s}초",
        "거래소가 [{call}|호출]을 거부하고 이 IP 또는 계정의 요청을 {retry_after_s}초 동안 차단했습니다. 차단이 풀릴 "
        "때까지 호출하지 않습니다.",
    ),
    "rate_limit_lifted": Text("요청 제한 해제", "{held_s}초 만에 요청 제한이 풀려 호출을 다시 보냅니다."),
    "budget_pressed": Text(
        "요청 한도 임박: {budget}",
        "{budget} 한도의 {share} 이상을 {pressed_s}초 동안 쓰고 있습니다. 호출을 줄이세요.",
    ),
    "budget_eased": Text(
        "요청 한도 여유 회복: {budget}", "{budget} 한도 사용량이 {pressed_s}초 만에 다시 안정되었습니다."
    ),
    "clock_stepped": Text(
        "시계 오차 재측정", "거래소가 타임스탬프를 거부해 시간을 다시 측정했습니다. 오차는 {offset_ms}ms입니다."
    ),
    "clock_skewed": Text(
        "시계 오차 {offset_ms}ms",
        "거래소가 타임스탬프를 거부했습니다. 시스템 시계가 {offset_ms}ms 어긋나 있습니다. 시간 동기화(NTP)를 "
        "확인하세요.",
    ),
    "margin_called": Text(
        "마진콜: {symbol} 청산 임박",
        "{symbol} {position_side} 포지션({quantity})이 청산가에 가까워졌습니다. 유지 증거금 {maintenance_margin}, "
        "미실현 손익 {unrealized_pnl}, 마크 가격 {mark_price}. 증거금을 추가하거나 포지션을 줄이세요.",
    ),
    "position_liquidated": Text(
        "{symbol} 포지션 강제 청산",
        "거래소가 포지션을 강제로 청산하고 있습니다: {symbol} {side} {quantity}. 잔여 포지션과 미체결 주문을 "
        "확인하세요.",
    ),
    "instrument_changed": Text(
        "{symbol} 종목 변경: {how}",
        "거래소가 {symbol} 종목을 변경했습니다({how}).[ 내용: {what}.][ 규격에 맞지 않게 된 미체결 주문: {off_grid}.]",
    ),
    "instrument_ending": Text(
        "{symbol} 24시간 내 거래 종료",
        "{symbol} 종목이 {ends_ms}에 만기 또는 상장폐지됩니다. 포지션과 미체결 주문을 정리하세요.",
    ),
    "handler_failed": Text(
        "핸들러 오류: {handler}",
        "사용자 코드 {handler}에서[ {on} 처리 중][ {raised}] 예외가 발생했습니다. 스트림과 다른 핸들러는 계속 "
        "동작합니다.",
    ),
    "task_failed": Text(
        "내부 작업 오류: {task}",
        "예상하지 못한 오류로 내부 작업 “{task}”이 중단되어 다시 시작했습니다.",
    ),
    "task_given_up": Text("내부 작업 중단: {task}", "예상하지 못한 오류로 내부 작업 “{task}”이 중단되었습니다."),
    "frame_garbled": Text(
        "읽을 수 없는 데이터: {connection}",
        "{connection}에서 해석할 수 없는 메시지를 받았습니다. 스트림은 계속됩니다.",
    ),
    "key_warning": Text("API 키 점검 필요: {what}", "API 키를 확인하세요: {what}."),
    "key_cannot_trade": Text("API 키: 거래 권한 없음", "이 키로는 선물을 거래할 수 없습니다. 키의 권한을 확인하세요."),
    "key_may_withdraw": Text("API 키: 출금 권한 있음", "이 키로 출금할 수 있습니다. 출금 권한이 없는 키를 사용하세요."),
    "key_unbound": Text(
        "API 키: 허용 IP 미설정", "키에 허용 IP가 설정되어 있지 않아, 유출되면 어디서나 사용될 수 있습니다."
    ),
    "key_expires": Text("API 키: 만료 임박", "API 키가 [{days_left}일 뒤|하루 안에] 만료됩니다. 새 키를 준비하세요."),
    "key_expired": Text("API 키: 만료됨", "API 키가 만료되었습니다. 새 키로 바꾸세요."),
    "key_refused": Text(
        "API 키: 거부됨", "거래소가 API 키를 더 이상 받지 않습니다. 키의 상태, 권한, 허용 IP를 확인하세요."
    ),
    "key_unread": Text("API 키: 권한 조회 실패", "키의 권한을 조회하지 못했습니다."),
    "test": Text("알림 테스트 ({severity})", "알림 테스트입니다. 이 메시지가 보이면 알림이 정상적으로 전달됩니다."),
    "unforeseen": Text("기타 사건: {incident}", "분류되지 않은 사건입니다: {incident}.[ 내용: {why}]"),
}

FACTS: Mapping[str, str] = {
    "after_s": "소요 시간(초)",
    "attempts": "시도 횟수",
    "budget": "요청 한도",
    "busy_s": "핸들러 사용 시간(초)",
    "by_fills": "체결 기준 수량",
    "by_venue": "거래소 기준 수량",
    "call": "호출",
    "change": "변경 종류",
    "client_order_id": "클라이언트 주문 ID",
    "code": "코드",
    "connection": "연결",
    "count": "건수",
    "days_left": "남은 일수",
    "dropped": "폐기 건수",
    "ends_ms": "종료 시각",
    "failed_s": "장애 시간(초)",
    "failing_s": "실패 시간(초)",
    "guard": "한도",
    "handler": "핸들러",
    "held_s": "제한 시간(초)",
    "how": "변경 유형",
    "instead": "대체 경로",
    "interval": "캔들 간격",
    "is_refused": "거부됨",
    "kind": "데이터 종류",
    "lag_s": "지연(초)",
    "left_s": "남은 시간(초)",
    "maintenance_margin": "유지 증거금",
    "mark_price": "시장 평균가(마크 가격)",
    "mode": "포지션 모드",
    "off_grid": "규격에 맞지 않는 미체결 주문",
    "offset_ms": "시계 오차(ms)",
    "on": "처리 대상",
    "order_id": "주문 ID",
    "orders": "주문",
    "outage_s": "중단 시간(초)",
    "outcome": "주문 결과",
    "position_side": "포지션 방향",
    "pressed_s": "지속 시간(초)",
    "quantity": "수량",
    "raised": "예외",
    "reason": "원인",
    "refused": "차단된 주문",
    "renewed": "다시 시작",
    "repaired": "복구 여부",
    "retry_after_s": "대기 시간(초)",
    "route": "경로",
    "severity": "심각도",
    "share": "사용률",
    "step": "대상",
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

SEVERITIES: Mapping[str, str] = {"info": "정보", "warning": "경고", "critical": "긴급"}

VALUES: Mapping[str, Mapping[str, str]] = {
    "days_left": {"0": ""},
    "unread_s": {"0": ""},
    "step": {
        "start": "거래소 연결", "account": "계정 스트림", "streams": "시세 스트림", "candles": "캔들 스트림",
        "book": "호가창",
    },
    "is_refused": {"True": "예", "False": "아니요"},
    "change": {"AMEND": "정정", "CANCEL": "취소"},
    "outcome": {"ACCEPTED": "접수됨", "NOT_PLACED": "접수되지 않음", "UNRESOLVED": "확인 불가"},
    "mode": {"ONE_WAY": "단방향", "HEDGE": "헤지"},
    "how": {"LISTED": "신규 상장", "DELISTED": "상장폐지", "CHANGED": "조건 변경"},
    "side": {"BUY": "매수", "SELL": "매도"},
    "position_side": {"BOTH": "단방향", "LONG": "롱", "SHORT": "숏"},
    "repaired": {"True": "예", "False": "아니요"},
    "renewed": {"True": "예", "False": "아니요"},
    "what": {
        "trading": "거래 권한 없음", "withdrawal": "출금 권한 있음", "ip": "허용 IP 미설정", "expiry": "만료 임박",
        "expired": "만료됨", "refused": "거부됨", "unknown": "권한 조회 실패",
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
        "halt_on_mismatch": "포지션 불일치 정지",
    },
    "severity": SEVERITIES,
}  # fmt: skip
"""Words of ours that are facts; what is not here is said as it is."""

VENUES: Mapping[str, str] = {"binance": "바이낸스", "bybit": "바이비트"}

WHY = "[ 사유: {why}]"

FOREIGN = "“{why}”"
