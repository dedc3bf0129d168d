-- Trades: one row a trade, when it arrives. price in the stock's currency, quantity in shares.
CREATE TABLE source_sql_stream (
  ticker_symbol VARCHAR(8) COMMENT '$.tickerSymbol',
  trade_type VARCHAR(4) COMMENT '$.tradeType',
  price DOUBLE,
  quantity INTEGER,
  id INTEGER
)
