# Installs the build, and builds a program against that alone:
# cmake -DBUILD=… -DHOST=… -DTO=… -DLIBDIR=… -P install.cmake
cmake_minimum_required(VERSION 3.25)

function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE code OUTPUT_VARIABLE out
                  ERROR_VARIABLE err)
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "${ARGV}: ${code}\n${out}${err}")
  endif()
  set(out "${out}" PARENT_SCOPE)
endfunction()

function(expect what)
  if(NOT out MATCHES "${what}")
    message(FATAL_ERROR "expected ${what}, but: ${out}")
  endif()
endfunction()

file(REMOVE_RECURSE ${TO})
set(PREFIX ${TO}/prefix)
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${PREFIX})
set(MODEL ${PREFIX}/share/troupe/models/troupe-demo.gguf)
set(ENV{LD_LIBRARY_PATH} ${PREFIX}/${LIBDIR})

# The program finds the model that was installed with it.
unset(ENV{TROUPE_MODEL})
run(${CMAKE_COMMAND} -E chdir ${TO}
    ${PREFIX}/bin/troupe run --quiet --temperature 0 --chat "What is 347 + 285?")
expect("632")

# Nothing of ours but the folder is on a host's include path.
file(GLOB there RELATIVE ${PREFIX}/include ${PREFIX}/include/*)
if(NOT there STREQUAL "troupe")
  message(FATAL_ERROR "installed into include: ${there}")
endif()

run(${CMAKE_COMMAND} -S ${HOST} -B ${TO}/host -G Ninja
    -DCMAKE_PREFIX_PATH=${PREFIX} -DCMAKE_BUILD_TYPE=Debug
    -DCMAKE_C_COMPILER=${CC} -DCMAKE_CXX_COMPILER=${CXX})
run(${CMAKE_COMMAND} --build ${TO}/host)
foreach(program from_cpp from_cpp_static from_c with_actors)
  run(${TO}/host/${program} ${MODEL})
  expect("^8 tokens\n$")
endforeach()

find_program(PKG_CONFIG pkg-config)
find_program(MAKE make)
if(PKG_CONFIG AND MAKE)
  set(ENV{PKG_CONFIG_PATH} ${PREFIX}/${LIBDIR}/pkgconfig)
  run(${MAKE} -C ${HOST} OUT=${TO} CC=${CC} CXX=${CXX})
  foreach(program cpp_by_pkgconfig c_by_pkgconfig)
    run(${TO}/${program} ${MODEL})
    expect("^8 tokens\n$")
  endforeach()
endif()
