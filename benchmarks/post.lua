-- What wrk sends, from the environment: always the same request.
local body = os.getenv("LOAD_BODY")
wrk.headers["Authorization"] = "Bearer " .. os.getenv("LOAD_KEY")
if body then
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  wrk.body = body
end
