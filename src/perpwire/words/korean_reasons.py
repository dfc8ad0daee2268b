"""Why, in Korean: our own reasons, and what to do about them. A venue's and the system's own words stay as they are.

What is named {why}, {then} or {advice} is itself a reason. The first that fits is taken.
"""

from __future__ import annotations

from collections.abc import Mapping

REASONS: Mapping[str, str] = {
    "{why}; they can't be read back: {then}": "{why}, 다시 조회하지 못함({then})",
    "it can't be built yet: {why}": "아직 다시 구성하지 못함({why})",
    "the connection was lost": "연결이 끊김",
    "connection lost": "연결이 끊김",
    "the socket is lost": "연결이 끊김",
    "the stream is being opened": "스트림을 여는 중",
    "the stream is {state}: {why}": "스트림이 아직 연결되지 않음({state}): {why}",
    "the stream is {state}": "스트림이 아직 연결되지 않음({state})",
    "not all that tells of the account is subscribed": "계정 토픽이 아직 모두 구독되지 않음",
    "no snapshot yet": "아직 스냅숏이 없음",
    "lost before the login": "로그인 전에 연결이 끊김",
    "closed by the server ({words})": "거래소가 연결을 닫음(“{words}”)",
    "closed by the server": "거래소가 연결을 닫음",
    "connection to {host} refused": "{host} 연결이 거부됨",
    "its stream is mute": "스트림에 데이터가 없음",
    "the topic was mute": "스트림에 데이터가 없음",
    "one socket went on where the other had not come to": "한 소켓의 데이터가 다른 소켓의 데이터와 이어지지 않음",
    "no data for {seconds} s": "{seconds}초 동안 데이터가 없음",
    "silent for {seconds} s, pings unanswered": "{seconds}초 동안 데이터도 핑 응답도 없음",
    "a subscription was not answered": "구독 요청에 응답이 없음",
    "no answer in time": "제시간에 응답이 없음",
    "no answer within {seconds} s": "{seconds}초 안에 응답이 없음",
    "not open within {seconds} s": "{seconds}초 안에 연결되지 않음",
    "no handshake within {seconds} s": "{seconds}초 안에 연결되지 않음",
    "update {update} does not follow {last}": "{last}번 다음에 {update}번 업데이트가 와서 순서가 맞지 않음",
    "sequence {sequence} comes after {last}": "{last}번 다음에 {sequence}번이 와서 순서가 맞지 않음",
    "updates are numbered from {update} again": "업데이트 번호가 {update}번부터 다시 시작됨",
    "the price has left the range that the snapshot covered": "가격이 스냅숏 범위를 벗어남",
    "the venue shows what the stream has not told of: {words}": "스트림이 알리지 않은 변경이 있음(“{words}”)",
    "the caller gave up while it was under way": "전송 중에 호출이 취소됨",
    "the program ended before the answer came": "응답이 오기 전에 프로그램이 종료됨",
    "sent by the run before": "이전 실행에서 보낸 주문",
    "its position and fills did not add up: only closing orders pass": "포지션과 체결이 맞지 않아 청산 주문만 허용",
    "its notional {notional} is above {most}": "주문 금액 {notional}이 한도 {most} 초과",
    "{count} orders were sent within {seconds} s": "{seconds}초 동안 {count}건 전송",
    # connections
    "{why}, right after the handshake": "연결 직후 {why}",
    "{name} needs an API key": "{name}에는 API 키가 필요함",
    "the stream can't be opened: {why}": "스트림을 열 수 없음: {why}",
    "the stream was closed": "스트림이 종료됨",
    "{name}: it is not live": "{name} 연결이 아직 준비되지 않음",
    "requests are not answered": "요청에 응답이 없음",
    "the venue takes no more requests on it": "거래소가 이 연결로 요청을 더 받지 않음",
    "the server closed the connection": "서버가 연결을 닫음",
    "the server closed the connection at once": "서버가 연결을 곧바로 닫음",
    "no connection was free within {seconds} s": "{seconds}초 안에 빈 연결이 없음",
    "the transport is closed": "연결이 종료됨",
    "CERTIFICATE_VERIFY_FAILED: the server's certificate is not trusted ({words}). Trusted are {why}. {then}":
        "서버 인증서를 신뢰할 수 없음(“{words}”, 신뢰하는 기관: {why}). {then}",
    "If this network, a proxy or the server signs with an authority of its own, trust that one: {how}. If not, "
    "somebody may be listening: do not go on":
        "네트워크, 프록시, 서버가 자체 인증 기관을 쓴다면 그 기관을 신뢰하도록 설정하고({how}), 아니라면 누군가 "
        "엿듣고 있을 수 있으니 중단하세요",
    "the system's authorities ({path})": "시스템 인증 기관({path})",
    "the authorities of the ssl_context given": "주어진 ssl_context의 인증 기관",
    # the account and its books
    "the account can't be read: {why}": "계정을 조회할 수 없음: {why}",
    "the account is being read": "계정을 조회하는 중",
    "this key may withdraw funds": "출금 권한이 있는 키",
    "a snapshot can't be read: {why}": "스냅숏을 읽을 수 없음({why})",
    "update {update} can't be read: {why}": "{update}번 업데이트를 읽을 수 없음({why})",
    "crossed in snapshot {update}": "스냅숏 {update}번에서 매수 호가와 매도 호가가 엇갈림",
    "crossed after update {update}": "{update}번 업데이트 뒤 매수 호가와 매도 호가가 엇갈림",
    "the book of {symbol} did not come in sync within {seconds} s: {why}":
        "{symbol} 호가창이 {seconds}초 안에 동기화되지 않음: {why}",
    "no change has come since its snapshot, which would prove it":
        "스냅숏 이후 호가 변화가 없어 아직 확인되지 않음",
    "unknown symbol {symbol}; near: {near}": "{symbol} 종목이 없음(비슷한 종목: {near})",
    "unknown symbol {symbol}": "{symbol} 종목이 없음",
    # calls
    "its turn came after its deadline": "기한 안에 차례가 오지 않음",
    "its turn does not come before its deadline; nothing goes for {seconds} s":
        "기한 안에 차례가 오지 않음({seconds}초 동안 호출 불가)",
    "it costs more than the venue's whole limit: it can't pass": "요청 한도 전체보다 커서 보낼 수 없음",
    "the venue takes no such call for {seconds} s": "거래소가 {seconds}초 동안 이 호출을 받지 않음",
    "there was no connection by its deadline": "기한 안에 연결되지 않음",
    "the connector was closed": "커넥터가 종료됨",
    "the answer could not be read: {why}": "응답을 읽을 수 없음: {why}",
    "the answer can't be read: {why}": "응답을 읽을 수 없음: {why}",
    # orders
    "the answer was lost ({why}), and {then}": "응답을 받지 못함({why}), {then}",
    "the venue does not know the order although it must have taken it by now: it was not placed":
        "거래소에 주문이 없으므로 접수되지 않은 것이 확실함",
    "the venue could not be asked ({why})": "거래소에 조회하지 못함({why})",
    "asking for it failed: {why}": "조회하지 못함({why})",
    "the venue does not know the order (any more); it is too old to tell whether it ever was":
        "거래소에 주문이 없고, 너무 오래되어 접수된 적이 있는지 알 수 없음",
    "order {name} does not show the change yet ({why})": "주문 {name}에 정정이 아직 반영되지 않음({why})",
    "order {name} is not known to have ended ({why})": "주문 {name}이 종료되었는지 확인되지 않음({why})",
    "{count} orders are still open: {orders}": "주문 {count}건이 아직 남아 있음: {orders}",
    "{name} was acknowledged, but the order can't be read back ({why})":
        "{name} 요청은 접수되었으나 주문을 다시 조회하지 못함({why})",
    "{why}; then: {then}": "{why}, 이어서 {then}",
    "nothing was heard of it": "아무 소식이 없음",
    "the journal can't be written: {why}": "주문 저널을 쓸 수 없음({why})",
    "the venue did not take it: {why}": "거래소가 받지 않음: {why}",
    "price {price} is beyond {bound}, {percent} % from the mark price {mark}":
        "가격 {price}이 마크 가격 {mark}에서 {percent} % 떨어진 한계 {bound}를 벗어남",
    "the position could become {quantity} = {notional}, above {most}":
        "포지션이 {quantity}(금액 {notional})까지 커져 한도 {most}를 넘을 수 있음",
    # the fan-out
    "{address} takes less than comes": "{address}가 들어오는 만큼 받지 못함",
    # errors as a whole
    "{error} (see the log)": "예상하지 못한 오류 {error}(로그 참고)",
    "{call}: {error} [{code}] {why} -> {advice}": "{call} 오류({error} {code}): {why} → {advice}",
    "{call}: {error} {why} -> {advice}": "{call} 오류({error}): {why} → {advice}",
    "http{host}: {why}": "http{host} 연결: {why}",
    "HTTP {status} with an empty body": "HTTP {status}, 빈 응답",
    # what to do
    "Nothing was sent. Check that the venue can be reached, then call again.":
        "아무것도 전송되지 않았습니다. 거래소에 연결할 수 있는지 확인하세요.",
    "Correct the argument and call again.": "인자를 고쳐 다시 호출하세요.",
    "Do not repeat it. Ask get_order(client_order_id=...) or read positions first.":
        "반복하지 말고 주문과 포지션을 먼저 조회하세요.",
    "The answer could not be read; treat an order call as of unknown outcome.":
        "응답을 읽을 수 없으니, 주문 호출이었다면 결과를 알 수 없는 것으로 보세요.",
    "The venue refused; nothing was done.": "거래소가 거부했으며 아무것도 바뀌지 않았습니다.",
    "Wait retry_after_s; calls made meanwhile are held back by the ledger.": "제한이 풀릴 때까지 호출은 보류됩니다.",
    "The venue is overloaded or in maintenance; try again with growing pauses.":
        "거래소가 과부하 또는 점검 중입니다.",
    "Check the key's permissions, the account's mode and the symbol's state.":
        "키의 권한, 계정 모드, 종목 상태를 확인하세요.",
    "Check key and secret, and that they belong to this environment (live, testnet, demo, sim).":
        "키와 시크릿이 맞는지, 이 환경(live, testnet, demo, sim)의 것인지 확인하세요.",
    "Check the stream's name and symbol; the connection's other streams go on.":
        "스트림 이름과 종목을 확인하세요. 이 연결의 다른 스트림은 계속됩니다.",
    "The clock offset is measured again and the call repeated by itself; if it persists, sync the system clock.":
        "시계 오차를 다시 재고 호출을 반복합니다. 계속되면 시스템 시계를 맞추세요.",
    "Make a key without that right, or allow it by name: allow_withdrawal_key=True.":
        "출금 권한이 없는 키를 만들거나 allow_withdrawal_key=True로 허용하세요.",
    "Name a symbol of get_instruments(); one that was listed just now needs refresh=True there.":
        "거래소에 있는 종목 이름을 쓰세요.",
    "Correct the parameter named in the reason.": "위의 매개변수를 고치세요.",
    "Correct the symbol; get_instruments lists those that there are now.":
        "종목 이름을 고치세요. 지금 있는 종목은 get_instruments가 보여 줍니다.",
    "Use what this venue has instead; the connector's docstrings say where venues differ.":
        "이 거래소가 제공하는 다른 기능을 쓰세요.",
    "Nothing was sent. Wait retry_after_s.": "아무것도 전송되지 않았습니다. 제한이 풀리기를 기다리세요.",
    "See the reason.": "위의 사유를 확인하세요.",
    "The order breaks a limit that you set. Change the order, or the guard.":
        "설정한 한도를 넘는 주문입니다. 주문이나 한도를 바꾸세요.",
    "The order is not open. Read it with get_order or the order history before acting.":
        "미체결 주문이 아닙니다. 먼저 주문 내역을 조회하세요.",
    "Reduce the size, lower the open orders, or add margin.": "수량이나 미체결 주문을 줄이거나 증거금을 추가하세요.",
    "Nothing rests and nothing was filled. Re-price and place a new order.":
        "남은 주문도 체결도 없습니다. 가격을 바꿔 새로 주문하세요.",
    "Ask get_order(client_order_id=...): the first order with this id is the live one.":
        "이 ID의 첫 주문이 유효합니다. 주문을 조회하세요.",
    "Nothing to do: it is so already.": "이미 그 상태이므로 할 일이 없습니다.",
    "Nothing was placed. Read the position mode; BOTH is for one-way mode, LONG and SHORT for hedge mode.":
        "주문되지 않았습니다. 포지션 모드를 확인하세요. BOTH는 단방향, LONG과 SHORT는 헤지 모드용입니다.",
}  # fmt: skip
"""As they are given, with what differs in braces -> how they are said."""
